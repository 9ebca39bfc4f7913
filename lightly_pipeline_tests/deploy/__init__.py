"""The files of deploy/, run on the engines that they configure."""
