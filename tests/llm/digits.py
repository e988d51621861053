"""Run by the Python of MLServer's own environment. Two models of handwritten digits, one good, one poor, as
MLServer wants them; and questions with their right answers.

`python digits.py FOLDER PORT PORT`: the first of three ports of each server.
"""

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

MODELS = {
    "v1": LogisticRegression(max_iter=2_000),
    "v2": DecisionTreeClassifier(max_depth=6, random_state=0),
}


def main(folder: Path, ports: list[int]) -> None:
    pixels, digits = load_digits(return_X_y=True)
    half = len(pixels) // 2
    for (version, model), port in zip(MODELS.items(), ports, strict=True):
        of = folder / version
        of.mkdir()
        model.fit(pixels[:half], digits[:half])
        joblib.dump(model, of / "model.joblib")
        listen = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
        (of / "settings.json").write_text(json.dumps({**listen, "parallel_workers": 0}))
        parameters = {"uri": "./model.joblib", "version": version}
        settings = {"name": "digits", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
        (of / "model-settings.json").write_text(json.dumps(settings))
    questions = [[row.tolist(), int(digit)] for row, digit in zip(pixels[half:], digits[half:], strict=True)]
    (folder / "questions.json").write_text(json.dumps(questions))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(port) for port in sys.argv[2:]])
