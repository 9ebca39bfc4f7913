"""What a report says of a choice, found and kept while its embeddings are in memory.

Part of the third step; the report itself is the last one. What is found is in `report.gather`.
"""

from collections.abc import Sequence

import numpy as np

from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.candidates.loading import Pool
from lightly_pipeline.candidates.rows import rows_of_frames
from lightly_pipeline.inputs.values import SelectionInputs
from lightly_pipeline.runs.records import SelectionRecord
from lightly_pipeline.steps.failures import warning_instead
from lightly_pipeline.steps.processing import ProcessResult
from lightly_pipeline.steps.recording import Choice
from lightly_pipeline.steps.setup import Run


def observe_choice(
    run: Run,
    processed: ProcessResult,
    record: SelectionRecord,
    candidates: Sequence[EmbeddedVideo],
    pool: Pool,
    inputs: SelectionInputs,
    choice: Choice,
) -> None:
    """Stores what a report says of a choice; nothing where no report is wanted.

    Args:
        run: The run.
        processed: The videos with their outcomes.
        record: Of the choice.
        candidates: The videos whose frames could be chosen, in the order of rows.
        pool: What was chosen from.
        inputs: What the strategies read.
        choice: What came out last; the record may have frames that were chosen before it.

    Raises:
        DatasourceError: A store failed.
    """
    if choice.embeddings is None:
        return
    from lightly_pipeline.report.gather.choice import gather_choice
    from lightly_pipeline.report.gather.material import Material, frames_of
    from lightly_pipeline.report.gather.stored import write_choice

    with warning_instead("what the report says of the choice"):
        chosen = rows_of_frames(pool.rows, frames_of(record))
        material = Material(
            run.config,
            pool,
            candidates,
            {outcome.video: outcome for outcome in processed.outcomes},
            choice.embeddings,
            inputs,
            chosen,
            np.union1d(choice.candidates, chosen),
            choice.result.neighbor_distances if record.sequence_length == 1 else None,
            record.summary,
        )
        write_choice(run.dataset.lightly, run.run_id, gather_choice(material))


def observe_loss(run: Run, record: SelectionRecord) -> None:
    """Stores what a report says of a choice that lost frames, and got none in their place.

    Args:
        run: The run.
        record: Of what is left.

    Raises:
        DatasourceError: A store failed.
    """
    if not run.config.worker.upload_report:
        return
    from lightly_pipeline.report.gather.stored import read_choice, write_choice

    choice = read_choice(run.dataset.lightly, run.run_id)
    if choice is not None:
        write_choice(run.dataset.lightly, run.run_id, choice.of_what_is_left(record))
