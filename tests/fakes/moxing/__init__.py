"""A stand-in for moxing, ModelArts' library: only ``moxing.file``, and of it only what is documented.

``obs://bucket/x`` and ``s3://bucket/x`` are ``$FAKE_OBS/bucket/x``. ``FAKE_MOXING_FAIL`` makes copies fail:

==================  ==================================================================
``in``, ``out``     every copy from the storage, or to it
``out:TEXT``        those to an address with TEXT in it
``out#2``           the second one of the process
``out@FILE``        as long as FILE is not there
==================  ==================================================================

Every call is appended to ``$FAKE_OBS/calls.txt``.
"""

from moxing import file

__all__ = ["file"]
