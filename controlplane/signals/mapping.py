"""Which series of which server is which signal: one table. A new server, or a new name, is a line here.

For each signal the first line that has a sound value counts, so that a server that shows an old and a new name is not
counted twice. Names are compared without the difference of `:` and `_`, which collectors rewrite. Where each name
stands:

- vLLM: `vllm/v1/metrics/loggers.py` (`kv_cache_usage_perc` is a share of one, in spite of its name;
  `gpu_cache_usage_perc` until 0.9). `num_requests_waiting_by_reason` is the same number again, and not here.
- SGLang: `python/sglang/srt/metrics/collector.py`. Every tensor rank tells the same queue again (`COPIES`). Its counter
  of retracted requests is our preemptions; the gauge `num_retracted_reqs` is of the last report only.
- TGI: huggingface.co/docs/text-generation-inference, reference/metrics. No gauge of its cache.
- Triton: `docs/user_guide/metrics.md` (`nv_gpu_utilization` is a share of one); its TensorRT-LLM backend:
  `docs/llm_metrics`.
- llama.cpp: `tools/server/README.md`. `kv_cache_usage_ratio` is gone from newer builds.
- MLServer: `docs/user-guide/metrics.md`. Its queue sizes are histograms since its start, which say nothing of now.
- DCGM exporter: `etc/default-counters.csv`. Memory in MiB; `GPU_UTIL` in percent says "busy" long before a GPU is full,
  so the share of busy engines goes first.
- `process_*`: what the Prometheus clients of Python and Go add.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.signals.signal import Signal

MIB = 1024.0 * 1024.0
# Labels of ranks that work on the same requests: their values are one value, told again.
COPIES = frozenset({"tp_rank", "pp_rank"})


@dataclass(frozen=True, slots=True)
class Line:
    """`plus`: a second series that is added, for totals that are told in parts. `labels`: what the series must have."""

    signal: Signal
    name: str
    scale: float = 1.0
    plus: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


TABLE = (
    Line(Signal.KV_CACHE, "vllm:kv_cache_usage_perc"),
    Line(Signal.KV_CACHE, "vllm:gpu_cache_usage_perc"),
    Line(Signal.KV_CACHE, "sglang:token_usage"),
    Line(Signal.KV_CACHE, "llamacpp:kv_cache_usage_ratio"),
    Line(Signal.KV_CACHE, "nv_trt_llm_kv_cache_block_metrics", labels={"kv_cache_block_type": "fraction"}),
    Line(Signal.QUEUE, "vllm:num_requests_waiting"),
    Line(Signal.QUEUE, "sglang:num_queue_reqs"),
    Line(Signal.QUEUE, "tgi_queue_size"),
    Line(Signal.QUEUE, "llamacpp:requests_deferred"),
    Line(Signal.QUEUE, "nv_trt_llm_request_metrics", labels={"request_type": "waiting"}),
    Line(Signal.QUEUE, "nv_inference_pending_request_count"),
    Line(Signal.RUNNING, "vllm:num_requests_running"),
    Line(Signal.RUNNING, "sglang:num_running_reqs"),
    Line(Signal.RUNNING, "tgi_batch_current_size"),
    Line(Signal.RUNNING, "llamacpp:requests_processing"),
    Line(Signal.RUNNING, "nv_trt_llm_request_metrics", labels={"request_type": "active"}),
    Line(Signal.RUNNING, "rest_server_requests_in_progress"),
    Line(Signal.GPU, "DCGM_FI_PROF_GR_ENGINE_ACTIVE"),
    Line(Signal.GPU, "DCGM_FI_DEV_GPU_UTIL", scale=0.01),
    Line(Signal.GPU, "nv_gpu_utilization"),
    Line(Signal.GPU_MEMORY_USED, "DCGM_FI_DEV_FB_USED", scale=MIB),
    Line(Signal.GPU_MEMORY_USED, "nv_gpu_memory_used_bytes"),
    Line(Signal.GPU_MEMORY, "DCGM_FI_DEV_FB_USED", scale=MIB, plus="DCGM_FI_DEV_FB_FREE"),
    Line(Signal.GPU_MEMORY, "nv_gpu_memory_total_bytes"),
    Line(Signal.PREEMPTIONS, "vllm:num_preemptions_total"),
    Line(Signal.PREEMPTIONS, "sglang:num_retracted_requests_total"),
    Line(Signal.CPU_SECONDS, "process_cpu_seconds_total"),
    Line(Signal.CPU_SECONDS, "sglang:process_cpu_seconds_total"),
    Line(Signal.MEMORY, "process_resident_memory_bytes"),
)


def plain(name: str) -> str:
    """A name as it is compared."""
    return name.replace(":", "_")


NAMES = frozenset(plain(name) for line in TABLE for name in (line.name, line.plus) if name)
