"""Decodes images with Pillow for `cargo xtask compare-decoders`, which starts it.

Needs Pillow 13.0.0. Reads from stdin: four bytes of length (little endian), then a file of that length. Writes to stdout: a
letter (`=` decoded, `!` refused), then width, height and RGB bytes, or the error; lengths as above.
"""

import io
import struct
import sys
import warnings

from PIL import Image

warnings.simplefilter("ignore")


def decode(data):
    image = Image.open(io.BytesIO(data))
    mode = image.mode
    image = image.convert("RGB")
    return mode.encode().ljust(8) + struct.pack("<II", *image.size) + image.tobytes()


def main():
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(4):
        data = source.read(struct.unpack("<I", head)[0])
        try:
            letter, answer = b"=", decode(data)
        except Exception as error:
            letter, answer = b"!", f"{type(error).__name__}: {error}".encode()
        sink.write(letter + struct.pack("<I", len(answer)) + answer)
        sink.flush()


main()
