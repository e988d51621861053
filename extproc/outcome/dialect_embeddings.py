"""OpenAI's embeddings: a list of vectors. Nothing is generated, so there is no finish and there are no tokens of an
answer; a list without vectors, or with an empty one, is an empty answer. Lists of other things are another API.
"""

from dataclasses import dataclass

from extproc.outcome.document import Json, object_in
from extproc.outcome.reader import NO_FINISH, Reader


@dataclass(slots=True)
class EmbeddingsReader(Reader):
    @staticmethod
    def claims(value: Json) -> bool:
        """A list that has nothing in it says by its `usage` that it is one of embeddings."""
        items = value.get("data")
        if value.get("object") != "list" or not isinstance(items, list):
            return False
        return _is_embedding(items[0]) if items else isinstance(value.get("usage"), dict)

    @property
    def choices(self) -> int:
        return 0

    @property
    def finish_reason(self) -> str | None:
        return NO_FINISH

    def read(self, value: Json) -> None:
        self.state_tokens(None, object_in(value, "usage").get("prompt_tokens"))
        items = value.get("data")
        # A vector is a list of numbers, or as many in base64.
        self.has_content = isinstance(items, list) and bool(items) and all(map(_has_vector, items))


def _is_embedding(item: object) -> bool:
    return isinstance(item, dict) and item.get("object") == "embedding"


def _has_vector(item: object) -> bool:
    return isinstance(item, dict) and bool(item.get("embedding"))
