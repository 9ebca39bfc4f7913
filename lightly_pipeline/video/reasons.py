"""Everything that is said of a video that cannot be read, or not as its owner may expect.

The words alone: who says them decides when. docs/video.md lists them, compared by a test. FFmpeg's
own words are in them where people search for those.
"""

from dataclasses import dataclass
from typing import Literal

Effect = Literal["no frames", "damage", "warning", "whole pass"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that can be said of a video.

    Attributes:
        effect: The video gives no frames; some are missing; its owner is warned; or a sampling
            that could spare decoding does not.
        text: The line, with names in braces for what differs.
        advice: What to do, for the documentation.
    """

    effect: Effect
    text: str
    advice: str

    def __call__(self, **values: object) -> str:
        """Returns the line with its values filled in."""
        return self.text.format(**values)


_MAKE_AGAIN = "copy or record it again; what is there cannot be read"
_CONVERT = "convert it: `ffmpeg -i IN -c:v libx264 -crf 18 OUT.mp4`"
_RAISE = "convert it; such files are broken, or made to hold a machine up"

NOT_A_CONTAINER = Reason(
    "no frames",
    "not a video container this package reads",
    "see which containers are read; what is inside counts, not the name; " + _CONVERT,
)
APPLE_DOUBLE = Reason(
    "no frames",
    "an AppleDouble file, which macOS keeps beside a file: not a video",
    "nothing: delete it (`dot_clean FOLDER`)",
)
INDEX_MISSING = Reason(
    "no frames",
    "the index (moov) is missing: the recording was cut off (FFmpeg: moov atom not found)",
    "copy it again, or mend it with a tool that takes an intact file of the same camera as model",
)
OPENING_TAKES_MEMORY = Reason(
    "no frames",
    "cannot be opened as a video: it asks for more memory than is allowed",
    _RAISE,
)
CANNOT_BE_OPENED = Reason("no frames", "cannot be opened as a video: {error}", _MAKE_AGAIN)
ENCRYPTED = Reason(
    "no frames",
    "encrypted ({how}): its pictures cannot be decoded without the key",
    "store it decrypted",
)
NO_VIDEO_STREAM = Reason("no frames", "no video stream", "it holds sound or data only")
ONLY_STILL_PICTURES = Reason(
    "no frames",
    "only a still picture (cover art or a thumbnail, FFmpeg: attached pic)",
    "it is sound with a picture",
)
NO_KNOWN_DECODER = Reason("no frames", "no video stream with a known decoder", _CONVERT)
CODEC_NOT_ALLOWED = Reason(
    "no frames", "codec {codec} is not on the list of video codecs", _CONVERT
)
NO_SUCH_STREAM = Reason(
    "no frames",
    "has no video stream {wanted}, which pipeline_config.video_stream asks for: {there}",
    "count from 0, or leave the option out",
)
PICTURES_TOO_LARGE = Reason(
    "no frames", "pictures of {width}x{height} exceed {limit} pixels", "scale it down"
)
NO_FRAMES = Reason("no frames", "no frames ({details})", _MAKE_AGAIN)
TOO_MANY_FRAMES = Reason("no frames", "more than {limit} frames", "cut it into parts")
TOO_MANY_BYTES = Reason("no frames", "reading it takes more than {limit:g} passes", _RAISE)
TOO_SLOW = Reason("no frames", "decoding exceeded {limit:.0f} s", _RAISE)
STUCK = Reason("no frames", "no new frame in {limit:.0f} s of decoding", _RAISE)
CRASHED = Reason("no frames", "decoder crashed ({how})", _RAISE)
DECODING_TAKES_MEMORY = Reason("no frames", "decoding asks for more memory than allowed", _RAISE)
NO_TIMES = Reason(
    "no frames",
    "has neither times nor a frame rate, which pipeline_config.frame_sampling needs for "
    "target_fps, start_s and end_s; every_nth works",
    "use `every_nth`, or put it into MP4",
)
GIVEN_UP = Reason(
    "damage",
    "given up after {limit} undecodable packets in a row",
    "copy or record it again; the frames before are there",
)
ENCRYPTED_PACKET = Reason("damage", "encrypted", "store it decrypted; its clear part is there")
LATE_PACKET = Reason(
    "damage",
    "came at the end, behind what refers to it: the recorder changed PIDs there",
    "nothing: it is the last picture before a change, which FFmpeg holds back",
)
SEVERAL_STREAMS = Reason(
    "warning",
    "holds {n} video streams; stream {chosen} was read ({there}); pipeline_config.video_stream "
    "chooses another",
    "choose with `pipeline_config.video_stream`, from 0; one dataset for each camera",
)
STREAM_ENDS_EARLY = Reason(
    "warning",
    "{share:.0%} of the file, from byte {position} on, hold nothing of the video that was read: a "
    "recorder may have changed its programme or PIDs there",
    "cut it there, so that each part is a file of its own (`head -c`, `tail -c`)",
)
SLOW = Reason(
    "warning",
    "{what} decodes slowly; converting it to MP4 with H.264 makes runs faster "
    "(ffmpeg -i IN -c:v libx264 -crf 18 OUT.mp4)",
    "convert it, if there are many",
)
LEFT_AS_CODED = Reason(
    "warning",
    "display matrix is no turn by 90 degrees: left as coded",
    "turn it with an editor, if it lies on its side",
)
