"""A clock that jumps: processes are started with it and all see the same jump at once.

    clock = JumpingClock(folder)
    subprocess.Popen(..., env={**os.environ, **clock.environment})
    clock.jump(3600)

A shared library laid over the C library's answers adds seconds to the time of day. What measures
durations is left alone, as it is on a machine whose clock is set. Needs Linux and a C compiler.
"""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_s;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CLOCK_OFFSET_FILE");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) offset_s = page;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(clock, now);
  int is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  if (offset_s && is_wall) now->tv_sec += *offset_s;
  return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  int status = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return status;
}

time_t time(time_t *result) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (result) *result = exact.tv_sec;
  return exact.tv_sec;
}
"""


class JumpingClock:
    """The time of day of the processes that were started with it.

    Args:
        folder: Where the library and the offset are, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self._offset, self._library = folder / "clock_offset", folder / "clock.so"
        if self._library.exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._offset.write_bytes(struct.pack("q", 0))
        source = folder / "clock.c"
        source.write_text(_SOURCE)
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", self._library, source, "-ldl"]
        subprocess.run(command, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_OFFSET_FILE": str(self._offset)}

    def jump(self, seconds: int) -> None:
        """Sets the clock so far ahead of the true time, or behind it."""
        with self._offset.open("r+b") as file:
            file.write(struct.pack("q", seconds))


def can_jump() -> bool:
    """Returns whether there can be such a clock here."""
    return sys.platform == "linux" and shutil.which("cc") is not None
