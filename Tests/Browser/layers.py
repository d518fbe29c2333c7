"""H.264 in two temporal layers: every second picture is one that no other refers to (`nal_ref_idc` 0), in order of
display, as cameras with "SVC" or "H.264+" send it.

No encoder element of GStreamer makes such a stream; Cisco's OpenH264 does, through its C interface.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import struct


class _Picture(ctypes.Structure):
    _fields_ = [
        ("format", ctypes.c_int),
        ("strides", ctypes.c_int * 4),
        ("planes", ctypes.c_void_p * 4),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("milliseconds", ctypes.c_longlong),
    ]


class _Layer(ctypes.Structure):
    _fields_ = [
        ("temporal", ctypes.c_ubyte),
        ("spatial", ctypes.c_ubyte),
        ("quality", ctypes.c_ubyte),
        ("kind", ctypes.c_int),
        ("type", ctypes.c_ubyte),
        ("sequence", ctypes.c_int),
        ("count", ctypes.c_int),
        ("lengths", ctypes.POINTER(ctypes.c_int)),
        ("bytes", ctypes.POINTER(ctypes.c_ubyte)),
    ]


class _Encoded(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_int),
        ("layers", _Layer * 128),
        ("kind", ctypes.c_int),
        ("size", ctypes.c_int),
        ("milliseconds", ctypes.c_longlong),
    ]


class LayeredEncoder:
    """Encodes I420 pictures of even width and height at a constant quantiser."""

    # Places in the interface's table of functions.
    _INITIALIZE, _DEFAULTS, _ENCODE, _FORCE_KEYFRAME = 1, 2, 4, 6
    _I420 = 23
    _CONSTANT_QUANTISER = -1

    def __init__(self, width: int, height: int, fps: int, gop: int, quantiser: int = 26) -> None:
        self.size = (width, height)
        self.fps = fps
        self.gop = gop
        self.count = 0
        self._library = ctypes.CDLL(ctypes.util.find_library("openh264"))
        self._self = ctypes.c_void_p()
        if self._library.WelsCreateSVCEncoder(ctypes.byref(self._self)):
            raise RuntimeError("OpenH264 makes no encoder")
        parameters = ctypes.create_string_buffer(4096)
        self._call(self._DEFAULTS, (ctypes.c_void_p, parameters))
        # Kind of use, width, height, bit rate, rate control, pictures a second, temporal layers, spatial layers; then the
        # one spatial layer: width, height, pictures a second, bit rate, largest bit rate, profile, level, quantiser.
        rate = 1_500_000
        struct.pack_into("iiiiifii", parameters, 0, 0, width, height, rate, self._CONSTANT_QUANTISER, fps, 2, 1)
        struct.pack_into("iifiiiii", parameters, 32, width, height, fps, rate, 0, 0, 0, quantiser)
        # Parameter sets keep their numbers from keyframe to keyframe.
        struct.pack_into("i", parameters, 844, 0)
        if self._call(self._INITIALIZE, (ctypes.c_void_p, parameters)):
            raise RuntimeError("OpenH264 refuses the parameters")

    def _call(self, place: int, *arguments: tuple[type, object]) -> int:
        table = ctypes.cast(
            ctypes.cast(self._self, ctypes.POINTER(ctypes.c_void_p))[0], ctypes.POINTER(ctypes.c_void_p)
        )
        function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *(kind for kind, _ in arguments))(table[place])
        return function(self._self, *(value for _, value in arguments))

    def encode(self, picture: bytes) -> bytes:
        """The picture's NAL units behind start codes, parameter sets before a keyframe."""
        width, height = self.size
        pixels = ctypes.create_string_buffer(picture, len(picture))
        luma = ctypes.addressof(pixels)
        blue = luma + width * height
        source = _Picture(
            self._I420,
            (ctypes.c_int * 4)(width, width // 2, width // 2, 0),
            (ctypes.c_void_p * 4)(luma, blue, blue + width * height // 4, None),
            width,
            height,
            self.count * 1000 // self.fps,
        )
        if self.count % self.gop == 0:
            self._call(self._FORCE_KEYFRAME, (ctypes.c_bool, True))
        self.count += 1
        encoded = _Encoded()
        if self._call(
            self._ENCODE,
            (ctypes.POINTER(_Picture), ctypes.byref(source)),
            (ctypes.POINTER(_Encoded), ctypes.byref(encoded)),
        ):
            raise RuntimeError("OpenH264 does not encode the picture")
        units = bytearray()
        for layer in encoded.layers[: encoded.count]:
            length = sum(layer.lengths[: layer.count])
            units += ctypes.string_at(layer.bytes, length)
        return bytes(units)
