// ncursesw, and what of it (or beside it) Swift cannot import: macros, and globals that strict concurrency refuses.
#ifndef SIGNALBOX_CNCURSES_SHIM_H
#define SIGNALBOX_CNCURSES_SHIM_H

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <stdint.h>
#include <wchar.h>

static inline WINDOW *console_screen(void) { return stdscr; }
static inline int console_colors(void) { return COLORS; }
static inline int console_color_pairs(void) { return COLOR_PAIRS; }

static inline attr_t console_attributes(int bold, int dim, int underlined, int reversed) {
    attr_t attributes = A_NORMAL;
    if (bold) attributes |= A_BOLD;
    if (dim) attributes |= A_DIM;
    if (underlined) attributes |= A_UNDERLINE;
    if (reversed) attributes |= A_REVERSE;
    return attributes;
}

// A character with one optional combining mark. The pair goes through the extended argument: a short would overflow.
static inline cchar_t console_cell(uint32_t scalar, uint32_t mark, attr_t attributes, int pair) {
    wchar_t text[3] = {(wchar_t)scalar, (wchar_t)mark, 0};
    cchar_t cell;
    if (setcchar(&cell, text, attributes, 0, &pair) == ERR) {
        wchar_t blank[2] = {L'?', 0};
        setcchar(&cell, blank, attributes, 0, &pair);
    }
    return cell;
}

// Cells that the C library, and so ncurses, believes a character to take.
static inline int console_width(uint32_t scalar) { return wcwidth((wchar_t)scalar); }

#if defined(__linux__)
// In libc since glibc 2.27; its own declaration hides behind a feature macro that must not be defined here.
extern int memfd_create(const char *name, unsigned int flags);
static inline int console_memory_file(void) { return memfd_create("signalbox-console", 1U /* close on exec */); }
#else
static inline int console_memory_file(void) { return -1; }
#endif

#endif
