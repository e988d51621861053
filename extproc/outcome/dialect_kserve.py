"""The Open Inference Protocol (KServe v2) over REST: `infer`, and `generate` with its stream as Triton serves it.

Neither says how it ended: a document is whole or it is none, and `error` in it is an error. An inference without any
output is empty; one whose tensors hold nothing is not (a detector may have found nothing). Tensors behind the JSON
(`Inference-Header-Content-Length`) come under another content type and are unobservable. gRPC is not read here: its
status says how a call ended, in Envoy's log entry.
"""

from dataclasses import dataclass

from extproc.outcome.document import Json, text_of
from extproc.outcome.reader import NO_FINISH, Reader


@dataclass(slots=True)
class KserveReader(Reader):
    @staticmethod
    def claims(value: Json) -> bool:
        is_infer, is_generate = isinstance(value.get("outputs"), list), isinstance(value.get("text_output"), str)
        return isinstance(value.get("model_name"), str) and (is_infer or is_generate)

    @property
    def finish_reason(self) -> str | None:
        return NO_FINISH

    def read(self, value: Json) -> None:
        if value.get("outputs"):
            self.has_content = True
        if text := text_of(value, "text_output"):
            self.shown()
            self.said.text(text)
