extension Theme {
    /// The theme that is used when no other is asked for; the same text as `themes/signalbox.theme`.
    public static let standard = (try? Theme(parsing: standardText, file: "signalbox.theme")) ?? .plain

    /// The text of ``standard``.
    public static let standardText = """
        # Signalbox, the default: a dark room, lit by its lamps.
        #
        # One statement a line: ROLE = [COLOUR] [on COLOUR] [bold] [dim] [underline] [reverse]
        # COLOUR is #rrggbb or a name from a palette line above. Two to four colours joined by .. make a gradient.
        # ROLE@16 is for terminals with 8 or 16 colours, ROLE@mono for those with none. Only "text" is required.

        name    = signalbox
        variant = dark

        palette.night  = #10151c
        palette.panel  = #1b2430
        palette.slate  = #2d3f58
        palette.paper  = #c9d3df
        palette.white  = #f2f6fa
        palette.mist   = #8593a6
        palette.steel  = #3d4c60
        palette.rail   = #7fb4e6
        palette.green  = #5fd38d
        palette.amber  = #ffc24d
        palette.red    = #ff6b6b
        palette.cyan   = #62d4ea
        palette.violet = #c6a0ff

        background     = night
        select         = slate
        select.resting = panel

        text           = paper
        dim            = mist
        strong         = white bold
        title          = white bold
        border         = steel
        border.focus   = rail
        header         = paper on panel
        header.dim     = mist on panel
        brand          = night on amber bold
        tab            = mist
        tab.active     = night on rail bold
        key            = amber bold
        key.text       = paper
        key.off        = mist
        table.header   = rail
        filter         = cyan bold
        link           = cyan underline
        dialog         = white on panel
        dialog.title   = white on panel bold
        dialog.danger  = night on red bold
        input          = amber on panel bold

        status.ok       = green
        status.info     = rail
        status.warning  = amber bold
        status.critical = red bold
        status.unknown  = mist
        status.pending  = cyan bold
        status.off      = mist

        badge.ok       = night on green bold
        badge.info     = night on rail bold
        badge.warning  = night on amber bold
        badge.critical = night on red bold

        graph.in        = #2f8f83 .. #4fc79a .. #b6f0c4
        graph.out       = #3b7fc4 .. #62b0ee .. #bfe2ff
        graph.latency   = #8d78d8 .. #d79be8 .. #ff9eb5
        graph.loss      = #c98a2b .. #ffb347 .. #ff6b6b
        graph.frames    = #4d93b8 .. #74c6dd .. #c4f1f4
        graph.axis      = #7b899c
        graph.threshold = amber

        delivery.webrtc = rail
        delivery.hls    = violet
        """
}
