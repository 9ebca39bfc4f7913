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
_OTHER_CAUSE = "nothing by itself: the frames are named, and left out of selections by default"
_NOTHING = "nothing: frames and numbers are the same, a sampling only costs as much as all frames"
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
MORE_PACKETS = Reason("damage", "{n} more packets could not be decoded", _MAKE_AGAIN)
DAMAGED_FRAMES = Reason("damage", "damaged: {how}", _OTHER_CAUSE)
MORE_FRAMES = Reason("damage", "{n} more frames are damaged", _OTHER_CAUSE)
REFERS_TO_DAMAGED = Reason("damage", "refers to a damaged picture", _OTHER_CAUSE)
MISSING_BEFORE = Reason("damage", "pictures before it are missing", _OTHER_CAUSE)
BEGINS_BETWEEN_KEYS = Reason("damage", "the video begins between two key frames", _OTHER_CAUSE)
PARTS_MISSING = Reason("damage", "parts of its packet are missing", _OTHER_CAUSE)
FLAGGED = Reason("damage", "the decoder flags it", _OTHER_CAUSE)
FRAMES_MISSING = Reason(
    "damage",
    "about {n} frames missing ({duration_s:.3f} s)",
    "copy or record it again; the frames around are there",
)
TRUNCATED = Reason(
    "damage",
    "truncated: the file ends before its content does",
    "copy it again; the frames before are there",
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
ONE_PASS = Reason(
    "warning",
    "decoded from end to end by one core, because {why}",
    "nothing: frames and numbers are the same; other long videos use all cores",
)
CODEC_NOT_UNDERSTOOD = Reason(
    "whole pass", "packets of {codec} do not say what comes out of them", _NOTHING
)
DAMAGED_STREAM = Reason("whole pass", "it is damaged", _NOTHING)
OTHER_PICTURES = Reason(
    "whole pass", "the decoder gives other pictures than its packets say", _NOTHING
)
REORDERED_DEEPER = Reason(
    "whole pass", "more pictures are reordered than the stream announces", _NOTHING
)
KEYS_UNKNOWN = Reason("whole pass", "packets do not say which pictures are key frames", _NOTHING)
MOST_IS_NEEDED = Reason("whole pass", "most of it has to be decoded anyway", _NOTHING)
NO_PICTURES = Reason("whole pass", "no packet holds a picture", _NOTHING)
NO_OWN_TIMES = Reason("whole pass", "packets have no time, or the same", _NOTHING)
BEGINS_WITH_LEADING = Reason(
    "whole pass", "it begins with pictures that refer to others before", _NOTHING
)
OTHER_ORDER = Reason("whole pass", "pictures come out in another order than their times", _NOTHING)
DAMAGED_PACKETS = Reason("whole pass", "packets are damaged or encrypted", _NOTHING)
CUT_PACKET = Reason("whole pass", "a packet is cut off", _NOTHING)
DAMAGED_PACKET = Reason("whole pass", "a packet is damaged", _NOTHING)
PARTITIONS = Reason("whole pass", "a packet is damaged, or in data partitions", _NOTHING)
SEVERAL_PICTURES = Reason("whole pass", "a packet holds more than one picture", _NOTHING)
NO_PICTURE = Reason("whole pass", "a packet holds no picture", _NOTHING)
NOT_ONE_PICTURE = Reason("whole pass", "a packet is not one whole picture", _NOTHING)
PARAMETERS_CHANGE = Reason("whole pass", "its parameters change in mid stream", _NOTHING)
JOINED = Reason("whole pass", "streams were joined, or a packet is damaged", _NOTHING)
NO_PARAMETERS = Reason("whole pass", "a slice names parameters that are not there", _NOTHING)
DAMAGED_SLICE = Reason("whole pass", "a slice header is damaged", _NOTHING)
BEGINS_IN_GROUP = Reason("whole pass", "it begins in the middle of a group of pictures", _NOTHING)
DAMAGED_PARAMETERS = Reason("whole pass", "a parameter set is damaged", _NOTHING)
SEQUENCE_ENDS = Reason("whole pass", "a sequence ends in mid stream", _NOTHING)
SINGLE_FIELDS = Reason("whole pass", "pictures come as single fields", _NOTHING)
PICTURES_MISSING = Reason("whole pass", "pictures are missing", _NOTHING)
ORDER_BY_CYCLE = Reason("whole pass", "pictures are ordered by a cycle of their own", _NOTHING)
CUT_HEADER = Reason("whole pass", "a header is cut off", _NOTHING)
IMPOSSIBLE_NUMBER = Reason("whole pass", "a header holds an impossible number", _NOTHING)
NO_START_CODE = Reason("whole pass", "a packet does not begin with a start code", _NOTHING)
PARTS_DO_NOT_ADD_UP = Reason("whole pass", "the parts of a packet do not add up", _NOTHING)
HIDDEN_KEY = Reason("whole pass", "a key frame is hidden", _NOTHING)
STILL_PICTURES = Reason("whole pass", "it is made of still pictures", _NOTHING)
LAYERS = Reason("whole pass", "it holds several layers", _NOTHING)
BROKEN_LINK = Reason(
    "whole pass", "a group of pictures was cut from what it refers to (broken link)", _NOTHING
)
SEVERAL_OR_JOINED = Reason(
    "whole pass", "a packet holds more than one picture, or sequences were joined", _NOTHING
)
PACKED = Reason("whole pass", "packets hold more than one picture (packed bitstream)", _NOTHING)
PLACEHOLDER = Reason("whole pass", "a packet may be a placeholder without a picture", _NOTHING)
EDGES_DIFFER = Reason("whole pass", "segments of it do not join", _NOTHING)
OTHER_START = Reason("whole pass", "its index names other key frames than it has", _NOTHING)
SEGMENT_LOST = Reason("whole pass", "a segment that was stored cannot be read again", _NOTHING)
OTHER_SEGMENT = Reason("whole pass", "another segment of it has doubts", _NOTHING)
