"""Study: a whole study's settings, as a TOML file says them. No torch here."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from afters.data.mixture import PRESETS
from afters.data.task import TaskSettings
from afters.records import Decoding
from afters.seeds import number
from afters.train.settings import FROZEN, TrainSettings


class TokenizerSettings(BaseModel):
    """The tokenizer that a model from scratch learns from the study's own teaching rows."""

    model_config = FROZEN

    vocabulary: int = Field(default=8192, ge=1)
    """How many pieces it has at most: bytes, control tokens, and what merging makes of the text."""


class EndpointSettings(BaseModel):
    """How a server is asked; nothing here changes an answer."""

    model_config = FROZEN

    in_flight: int = Field(default=8, ge=1)
    """How many requests are under way at most."""
    timeout_seconds: float = Field(default=120.0, gt=0)
    """For how long nothing may come before a request is sent again."""
    tries: int = Field(default=6, ge=1)
    """How often one request is sent at most."""


class ModelSettings(BaseModel):
    """Which model is improved."""

    model_config = FROZEN

    base: str = "afters-tiny"
    """The embedded model, a folder, or a hub name; or a configuration to start from random weights: a JSON file with
    transformers' own names, or a folder with config.json and no weights. An address, as
    http://localhost:8000/v1#qwen2.5-7b, can be asked and not taught: by `afters evaluate`."""
    endpoint: EndpointSettings | None = None
    """Where `base` is an address: how its server is asked."""
    tokenizer: TokenizerSettings | None = None
    """Where `base` is a configuration without a tokenizer beside it: the one that is learnt."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Of the arithmetic; auto is bf16 where the processor has it natively, fp32 elsewhere."""
    quantised: Literal["4bit"] | None = None
    """Hold the base in 4 bits, to be asked and adapted on a GPU; needs the extra afters[gpu]."""
    max_prompt_tokens: int | None = Field(default=None, ge=1)
    """Longer prompts lose shots, then text; when not given, what the model's positions allow, and 1,024 at most."""


class BeforeSettings(BaseModel):
    """What is asked before any training."""

    model_config = FROZEN

    shots: tuple[Annotated[int, Field(ge=0)], ...] = (0, 1, 2)
    """How many solved examples stand in the prompt; each number is asked on its own, and 0 always."""
    nearest: bool = True
    """Whether to judge the nearest-neighbour baseline: the answer of the most similar teaching row."""

    @property
    def every(self) -> tuple[int, ...]:
        """All numbers of shots that are asked, none first."""
        return tuple(sorted({0, *self.shots}))


class JudgeSettings(BaseModel):
    """How the model is asked, before and after alike."""

    model_config = FROZEN

    max_new_tokens: int = Field(default=64, ge=1)
    """An answer ends here at the latest."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """An answer ends before the first of these texts."""
    method: Literal["greedy", "beam", "sample"] = "greedy"
    """The most probable token each time; beam search; or tokens drawn by chance."""
    beams: int = Field(default=4, ge=1)
    """Of beam search: how many beginnings are followed at once."""
    answers: int = Field(default=1, ge=1)
    """Of sampling: how many answers each prompt gets; scores are their mean, and their spread is told."""
    temperature: float = Field(default=1.0, gt=0)
    """Of sampling: below 1 the likely becomes likelier."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Of sampling: tokens are drawn from the fewest that hold this share of the probability."""

    @model_validator(mode="after")
    def _sets_only_what_its_method_reads(self) -> Self:
        owners = {"beams": "beam", "answers": "sample", "temperature": "sample", "top_p": "sample"}
        for name, owner in owners.items():
            if self.method != owner and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f'{name} is read by method = "{owner}" alone: set that, or leave {name} out')
        return self


class MixtureSettings(BaseModel):
    """How much of each task is taught; as it stands, every row of every task once in each pass."""

    model_config = FROZEN

    preset: Literal["flan2021", "flan2022", "flan2022-mixtures"] | None = None
    """A published mixture; each task names the `part` of it that it stands for."""
    cap: int | None = Field(default=None, ge=1)
    """A task of more rows than this counts as if it had so many."""
    temperature: float = Field(default=1.0, ge=1)
    """Rates are sizes to the power of 1 / temperature: 1 is proportional, a high one gives all tasks the same."""
    rows: int | None = Field(default=None, ge=1)
    """How many rows a pass has; when not given, as many as the tasks have, each up to its cap."""
    few_shot: float | None = Field(default=None, ge=0, le=1)
    """The share of rows that are taught with solved examples before them; the preset's, or none, when not given."""
    most_shots: int = Field(default=2, ge=1)
    """Such a row has from one to so many of them."""

    inverted: float | None = Field(default=None, ge=0, le=1)
    """The share of rows that are asked the other way round (for the question, given the answer) where a template has
    inverted wordings; when not given, the preset's, or that of the wordings."""

    @property
    def few_shot_share(self) -> float:
        """The share of rows with solved examples before them."""
        return self.few_shot if self.few_shot is not None else (PRESETS[self.preset].few_shot if self.preset else 0.0)


class KeptTask(TaskSettings):
    """A task that must not be lost: judged before and after, and never taught."""

    margin: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The loss that does not matter, in the score's own unit; that of [keep] when not given."""


class KeepSettings(BaseModel):
    """What must not be lost. Where nothing is named, the probes that ship with Afters are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True)

    tasks: tuple[str, ...] | None = None
    """Of the probes that ship with Afters, those that are asked: all where nothing is named in [keep]; [] asks none."""
    own: tuple[KeptTask, ...] = Field(default=(), alias="task")
    """Tasks of one's own: files and templates as in a [[task]]. Judging rows are asked; only [mend] reads others."""
    texts: tuple[str, ...] = ()
    """Files of plain text: how well the second half of each paragraph of 200 bytes or more is foreseen, in bits per
    byte. Of each half at most the 1,200 letters next to the cut count."""
    margin: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The loss that does not matter, on scores from 0 to 1 and in bits per byte, and a hundred times as much on scores
    from 0 to 100; 0.05 when not given."""

    @property
    def names_something(self) -> bool:
        """Whether anything is named, if only that nothing is to be asked."""
        return self.tasks is not None or bool(self.own or self.texts)

    @property
    def probes(self) -> tuple[str, ...] | None:
        """The probes that are asked, by name; None stands for all."""
        return (self.tasks or ()) if self.names_something else None


class StageSettings(BaseModel):
    """One of several trainings, each of which goes on from the model that the last one left."""

    model_config = FROZEN

    task: str
    """The task that is taught; each has one stage."""
    train: TrainSettings | None = None
    """How it is fine-tuned, where that differs from the study's [train]."""


class MendSettings(BaseModel):
    """What else is tried, so that less is lost; each is asked what the run's own model is asked."""

    model_config = FROZEN

    replay: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    """Taught anew with rows of the kept tasks among the others: their share of the taught tokens."""
    rehearse: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    """The same with the base's own answers to those rows, where the right ones are not known."""
    kl: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    """As replay, but held to what the base expects at each token of the right answers (forward KL divergence)."""
    l2_sp: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Taught anew and pulled back to the base's weights, so strongly; as [train] l2_sp."""
    interpolate: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()
    """Weights, or a LoRA's strength, so far on the way from the base to the tuned model; nothing is taught for it."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is tried."""
        return not any((self.replay, self.rehearse, self.kl, self.l2_sp, self.interpolate))


USUAL_CURES = {"kl": "mend.kl=[0.25]", "interpolate": "mend.interpolate=[0.4, 0.6, 0.8, 0.9]"}
"""What `--mend` tries where the study does not say, as `--set` would have it."""


def goes_part_of_the_way(train: TrainSettings) -> bool:
    """Return whether a model can lie between the base and what is taught so: by weights, or an adapter's strength."""
    return train.merge or train.method in ("full", "lora", "rslora")


class Study(BaseModel):
    """A whole study, as a TOML file says it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)
    """The study's name, and its run folder's."""
    seed: int = 0
    """All chance comes from it."""
    model: ModelSettings = ModelSettings()
    """Which model is improved."""
    tasks: tuple[TaskSettings, ...] = Field(alias="task", min_length=1)
    """What it is taught and judged on; several make a mixture."""
    before: BeforeSettings = BeforeSettings()
    """What is asked before any training."""
    mixture: MixtureSettings = MixtureSettings()
    """How much of each task is taught."""
    train: TrainSettings = TrainSettings()
    """How it is fine-tuned."""
    judge: JudgeSettings = JudgeSettings()
    """How it is asked, before and after alike."""
    keep: KeepSettings = KeepSettings()
    """What must not be lost by it."""
    mend: MendSettings = MendSettings()
    """What is tried so that less is lost."""
    stages: tuple[StageSettings, ...] = Field(default=(), alias="stage")
    """The tasks one after the other, instead of all at once."""

    @model_validator(mode="before")
    @classmethod
    def _stages_are_taught_as_the_study_says(cls, said: Any) -> Any:
        """Lay what a stage says of [train] over what the study says of it."""
        train, stages = (said.get(name) for name in ("train", "stage")) if isinstance(said, dict) else (None, None)
        if not isinstance(train, dict) or not isinstance(stages, list):
            return said
        taught = [stage for stage in stages if isinstance(stage, dict) and isinstance(stage.get("train"), dict)]
        whole = [{**one, "train": _laid_over(train, one["train"])} if one in taught else one for one in stages]
        return {**said, "stage": whole}

    @model_validator(mode="after")
    def _names_each_task_once(self) -> Self:
        names = [task.name for task in (*self.tasks, *self.keep.own)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two tasks are called '{twice}'")
        return self

    @model_validator(mode="after")
    def _leaves_a_quantised_base_as_it_is(self) -> Self:
        ways = (self.train, *(stage.train for stage in self.stages if stage.train))
        if self.model.quantised and any(way.method == "full" or way.merge for way in ways):
            raise ValueError(
                "an adapter for a base in 4 bits, whose weights cannot change: set train.method to one and train.merge "
                "to false, or remove model.quantised"
            )
        return self

    @model_validator(mode="after")
    def _mends_what_can_be_lost(self) -> Self:
        if (
            not self.mend.is_empty
            and self.keep.names_something
            and not (self.keep.tasks or self.keep.own or self.keep.texts)
        ):
            raise ValueError("mend: nothing is named that must not be lost: remove keep.tasks = [], or leave mend out")
        if self.mend.l2_sp and (self.train.method != "full" or self.train.optimizer == "adafactor"):
            raise ValueError('mend.l2_sp only with train.method = "full" and train.optimizer = "adamw": remove it')
        if self.mend.interpolate and not goes_part_of_the_way(self.train):
            way_out = "remove it, or set train.merge" if self.train.method in ("dora", "ia3") else "remove it"
            raise ValueError(
                'mend.interpolate only with train.method = "full", "lora" or "rslora", or with train.merge '
                f'(no one factor weakens "{self.train.method}"): {way_out}'
            )
        return self

    @model_validator(mode="after")
    def _has_a_stage_for_each_task(self) -> Self:
        if not self.stages:
            return self
        if sorted(stage.task for stage in self.stages) != sorted(task.name for task in self.tasks):
            names = ", ".join(f"'{task.name}'" for task in self.tasks)
            raise ValueError(f"stage: each task has one, and there are {names}")
        if self.train.rows or not self.mend.is_empty:
            raise ValueError("stage: neither train.rows nor mend goes with stages: leave them out")
        if any(stage.train and stage.train.rows for stage in self.stages):
            raise ValueError("stage: train.rows does not go with stages: leave it out")
        ways = [stage.train or self.train for stage in self.stages]
        if any(way.method != "full" and not way.merge for way in ways):
            raise ValueError("stage: a stage goes on from the last one's weights: set train.merge, or method to full")
        return self

    @model_validator(mode="after")
    def _has_a_row_for_each_task(self) -> Self:
        if short := [rows for rows in self.train.rows if 0 < rows < len(self.tasks)]:
            raise ValueError(f"train.rows: each of {len(self.tasks)} tasks needs a row, and {short[0]} are too few")
        return self

    @model_validator(mode="after")
    def _mixes_in_one_way(self) -> Self:
        by_hand = {name: [task for task in self.tasks if getattr(task, name) is not None] for name in _SHARES}
        used = [name for name, tasks in by_hand.items() if tasks]
        for name in used:
            if missing := next((task.name for task in self.tasks if task not in by_hand[name]), None):
                raise ValueError(f"{name} is told for every task or for none: '{missing}' has none")
        if self.mixture.cap is not None or self.mixture.temperature != 1:
            used.append("mixture.cap or mixture.temperature")
        if (self.mixture.preset is None) == ("part" in used):
            raise ValueError("mixture.preset and each task's part go together: give both or neither")
        if len(used) > 1:
            raise ValueError(f"the tasks' shares are told twice, by {' and by '.join(used)}: leave one out")
        if "rows" in used and self.mixture.rows is not None:
            raise ValueError("mixture.rows and each task's rows say the same: leave one out")
        return self

    @property
    def decoding(self) -> Decoding:
        """How answers are written, before and after alike."""
        return Decoding(**self.judge.model_dump(), seed=number(self.seed, "decoding"))

    def plain(self) -> dict[str, Any]:
        """Return the settings as nested plain values, without what is not set: TOML has no null."""
        plain = _without_none(self.model_dump(mode="json", by_alias=True))
        assert isinstance(plain, dict)
        return plain


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of both tables; where both say something, `above` counts."""
    both = {name: (below[name], value) for name, value in above.items() if name in below}
    tables = {name: _laid_over(*pair) for name, pair in both.items() if all(isinstance(one, dict) for one in pair)}
    return {**below, **above, **tables}


_SHARES = ("rate", "rows", "part")
"""What a task says of its share in a mixture."""


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value
