"""Which decoder this is: part of what makes tables comparable."""


def decoder_version() -> str:
    """Returns the releases of PyAV and of the FFmpeg libraries that decide over pixels."""
    import av

    names = ("libavcodec", "libavformat", "libswscale")
    versions = (f"{n} {'.'.join(map(str, av.library_versions[n]))}" for n in names)
    return f"pyav {av.__version__} {' '.join(versions)}"
