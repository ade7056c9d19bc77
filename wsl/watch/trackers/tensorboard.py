"""TensorBoard: event files of its own writer, which needs no torch, and the weight latents for its Projector."""

import json
import shlex
import time
from typing import Any

from wsl.files.atomic import written_whole
from wsl.watch.trackers.base import TRACKERS, Results, Tracker, grouped
from wsl.watch.written import News

LATENTS, METADATA, PROJECTOR = "tensors.tsv", "metadata.tsv", "projector_config.pbtxt"  # the last name is TensorBoard's


@TRACKERS.register("tensorboard")
class TensorBoard(Tracker):
    """One TensorBoard run per curve, and one for the results.

    An epoch that is trained again replaces the old one and all later epochs.
    """

    package = "tensorboard"

    def __init__(self, folder, run):
        super().__init__(folder, run)
        self._event = self.tool("tensorboard.compat.proto.event_pb2")
        self._summary = self.tool("tensorboard.compat.proto.summary_pb2")
        self._new_writer = self.tool("tensorboard.summary.writer.event_file_writer").EventFileWriter
        self._writers: dict[str, Any] = {}

    def log(self, news: News) -> None:
        """Write scalars to the folder of the curve."""
        name = news.curve.name
        if news.attempt > 1 and news.begins:
            first = news.epochs[0]
            start = self._event.SessionLog(status=self._event.SessionLog.START)
            self._add(name, step=first.epoch, wall_time=first.time, session_log=start)
        for epoch in news.epochs:
            values = [self._summary.Summary.Value(tag=tag, simple_value=one) for tag, one in grouped(epoch).items()]
            self._add(name, step=epoch.epoch, wall_time=epoch.time, summary=self._summary.Summary(value=values))
        if news.curve.done and name in self._writers:
            self._writers.pop(name).close()
        elif name in self._writers:
            self._writers[name].flush()

    def finish(self, results: Results, attempt: int) -> None:
        """Write scalars and text to the folder of the run, and the files of the Projector beside them."""
        texts = {"config": f"```json\n{json.dumps(results.config, indent=2)}\n```"} if results.config else {}
        texts |= {name: _markdown(table) for name, table in results.tables.items()}
        values = [self._summary.Summary.Value(tag=tag, simple_value=one) for tag, one in results.numbers.items()]
        metadata = self.tool("tensorboard.plugins.text.metadata")
        tensors = self.tool("tensorboard.util.tensor_util")
        for tag, text in texts.items():
            about = metadata.create_summary_metadata(display_name=tag, description="")
            about.data_class = self._summary.DATA_CLASS_TENSOR
            tensor = tensors.make_tensor_proto(text.encode())
            values.append(self._summary.Summary.Value(tag=tag, metadata=about, tensor=tensor))
        self._add("", step=attempt, wall_time=time.time(), summary=self._summary.Summary(value=values))
        if results.latents is not None:
            self._project(results)

    def _project(self, results: Results) -> None:
        projector = self.tool("tensorboard.plugins.projector.projector_config_pb2").ProjectorConfig()
        embedding = projector.embeddings.add(tensor_name="z_W", tensor_path=LATENTS, metadata_path=METADATA)
        embedding.tensor_shape.extend(results.latents.shape)
        rows = ["\t".join(f"{value:.6g}" for value in row) for row in results.latents.tolist()]
        table = results.snapshots.astype(str).replace(r"\s", " ", regex=True)
        files = {
            LATENTS: "\n".join(rows) + "\n",
            METADATA: table.to_csv(sep="\t", index=False, lineterminator="\n"),
            PROJECTOR: str(projector),
        }
        for name, text in files.items():
            with written_whole(self.folder / self.run / name) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def close(self) -> None:
        """Close all files."""
        while self._writers:
            self._writers.popitem()[1].close()

    def view(self) -> str:
        """Return the command of its server."""
        return f"tensorboard --logdir {shlex.quote(str(self.folder))}"

    def _add(self, curve: str, **content: Any) -> None:
        if curve not in self._writers:
            self._writers[curve] = self._new_writer(str(self.folder / self.run / curve))
        self._writers[curve].add_event(self._event.Event(**content))


def _markdown(table: Any) -> str:
    """Return a table in Markdown, which the page of texts shows."""
    rows = [list(map(str, table.columns)), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
