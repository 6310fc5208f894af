"""A server of OpenAI's `/v1/completions` that runs the shipped model: its texts and probabilities are real, its manners a test's."""

from pathlib import Path
from typing import Any

import ctranslate2
from tokenizers import Tokenizer

from tests.fakes.server import FakeServer, Reply, Request

MODEL = "tweets"
END = "<|endoftweet|>"


class CompletionsServer(FakeServer):
    """Answers as vLLM does; others take no `top_k`, give one choice a request, give fewer than they are asked for, or echo nothing."""

    def __init__(
        self, folder: Path, *, key: str = "", most: int = 128, takes_n: bool = True, takes_top_k: bool = True, echoes: bool = True
    ) -> None:
        super().__init__()
        self.base = f"{self.url}/v1"
        self.key, self.most, self.takes_n, self.takes_top_k, self.echoes = key, most, takes_n, takes_top_k, echoes
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))  # reads special tokens in a prompt as such
        self.generator = ctranslate2.Generator(str(folder), inter_threads=2, intra_threads=1)

    def answer(self, request: Request) -> Reply:
        """Answer as the OpenAI API says."""
        body = request.body
        if request.path != "/v1/completions":
            return refuse(404, "Not Found")
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return refuse(401, "Incorrect API key provided.")
        if body["model"] != MODEL:
            return refuse(404, f"The model `{body['model']}` does not exist.")
        if "top_k" in body and not self.takes_top_k:
            return refuse(400, "Unrecognized request argument supplied: top_k")
        if body.get("n", 1) > 1 and not self.takes_n:
            return refuse(400, "Only one completion choice is allowed")
        if body.get("echo"):
            choices = [self._echo(index, prompt) for index, prompt in enumerate(body["prompt"])]
            choices.reverse()  # nothing says in which order they come
        else:
            choices = self._write(body)
        return Reply({"object": "text_completion", "model": MODEL, "choices": choices})

    def _write(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        results = self.generator.generate_batch(
            [self.tokenizer.encode(body["prompt"]).tokens] * min(body["n"], self.most),
            max_length=body["max_tokens"],
            include_prompt_in_result=False,
            return_end_token=True,
            sampling_topk=max(body.get("top_k", 0), 0),
            sampling_topp=body["top_p"],
            sampling_temperature=body["temperature"],
        )
        return [
            {
                "index": index,
                "text": self.tokenizer.decode(result.sequences_ids[0]),
                "finish_reason": "stop" if result.sequences[0][-1:] == body["stop"] else "length",
                "logprobs": None,
            }
            for index, result in enumerate(results)
        ]

    def _echo(self, index: int, prompt: str) -> dict[str, Any]:
        """Return the prompt with the log-probability of each of its tokens but the first, and one token more; or that alone."""
        if not self.echoes:
            return {"index": index, "text": "!", "logprobs": None}
        encoding = self.tokenizer.encode(prompt)
        [result] = self.generator.score_batch([encoding.tokens])
        return {
            "index": index,
            "text": f"{prompt}!",
            "logprobs": {
                "tokens": [*encoding.tokens, "!"],
                "token_logprobs": [None, *result.log_probs, -9.0],
                "text_offset": [*(start for start, _ in encoding.offsets), len(prompt)],
            },
        }


def refuse(status: int, message: str) -> Reply:
    """Return an error as the OpenAI API words it."""
    return Reply({"error": {"message": message, "type": "invalid_request_error"}}, status)
