// libavcodec and kin, and the macros of them that Swift cannot import.
#ifndef SIGNALBOX_CFFMPEG_SHIM_H
#define SIGNALBOX_CFFMPEG_SHIM_H

#include <libavcodec/avcodec.h>
#include <libavutil/avutil.h>
#include <libavutil/channel_layout.h>
#include <libavutil/error.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

#include <errno.h>

/// What a codec returns when it wants more input before it has output.
static const int signalbox_averror_again = AVERROR(EAGAIN);
/// What a codec returns when it has been drained.
static const int signalbox_averror_eof = AVERROR_EOF;
/// What a codec returns that does not take its settings.
static const int signalbox_averror_invalid = AVERROR(EINVAL);

#endif
