import json

from extproc.outcome.dialect import AnyReader

OUTPUT = {"name": "predict", "shape": [1], "datatype": "INT64", "data": [7]}


def whole(**document: object) -> AnyReader:
    reader = AnyReader()
    assert reader.document(json.dumps({"model_name": "digits", "model_version": "2", **document}).encode())
    return reader


def test_an_inference_is_whole_without_a_finish() -> None:
    reader = whole(id="1", outputs=[OUTPUT])
    assert (reader.is_readable, reader.has_content, reader.finish_reason, reader.error_frame) == (True, True, "", False)


def test_no_output_at_all_is_an_empty_answer_and_an_empty_tensor_is_not() -> None:
    assert not whole(outputs=[]).has_content
    assert whole(outputs=[{**OUTPUT, "shape": [0, 4], "data": []}]).has_content


def test_an_error_inside_a_200_is_an_error() -> None:
    reader = AnyReader()
    assert reader.document(b'{"error": "model digits failed"}')
    assert (reader.error_frame, reader.is_readable) == (True, True)


def test_a_stream_of_generate_counts_its_pieces_and_reads_their_text() -> None:
    reader = AnyReader()
    for text in ("<|im_", "end|>", ""):
        assert reader.document(json.dumps({"model_name": "llm", "text_output": text}).encode())
    assert (reader.content_events, reader.choices, reader.finish_reason) == (2, 1, "")
    assert dict(reader.said.measures(is_cut=False))["control_tokens"] == 100


def test_metadata_of_a_model_is_another_document() -> None:
    reader = AnyReader()
    assert reader.document(b'{"name": "digits", "versions": ["1"], "platform": "", "inputs": [], "outputs": []}')
    assert not reader.is_readable
