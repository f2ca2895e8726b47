"""Every knob of the training loop, with its sentence and its check. No torch here: settings are read before a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FROZEN = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

LOW_RANK = ("lora", "rslora", "dora")

VIRTUAL = ("prompt", "prefix")

Rows = Annotated[int, Field(ge=0)]

DecayRate = Annotated[float, Field(ge=0, lt=1)]


class LoraSettings(BaseModel):
    """Low-rank adapters: LoRA (Hu et al. 2021, arXiv:2106.09685), rsLoRA and DoRA."""

    model_config = FROZEN

    rank: int = Field(16, ge=1)
    """Inner width of an adapter's two matrices."""
    alpha: float = Field(32.0, gt=0)
    """The adapter's update is scaled by alpha / rank; by alpha / sqrt(rank) in rsLoRA."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of an adapter's inputs dropped while training."""
    targets: tuple[str, ...] = Field(("all-linear",), min_length=1)
    """Names of the layers to adapt, or just "all-linear"."""


class Ia3Settings(BaseModel):
    """Factors of activations: IA3 (Liu et al. 2022, arXiv:2205.05638)."""

    model_config = FROZEN

    targets: tuple[str, ...] = ()
    """Names of the layers whose outputs get factors; none given: keys, values and feed-forward, as peft knows them."""
    feedforward: tuple[str, ...] = ()
    """Those of the targets whose inputs get the factors instead."""


class VirtualSettings(BaseModel):
    """Virtual tokens: prompt tuning (Lester et al. 2021, arXiv:2104.08691), prefix tuning (Li and Liang 2021)."""

    model_config = FROZEN

    tokens: int = Field(20, ge=1)
    """How many stand in front of every prompt."""
    hidden: int | None = Field(None, ge=1)
    """Prefix tuning: inner width of the network that makes the prefix while it learns; none when not given."""


class TrainSettings(BaseModel):
    """How a model is fine-tuned."""

    model_config = FROZEN

    method: Literal["full", "lora", "rslora", "dora", "ia3", "prompt", "prefix"] = "full"
    """Teach all weights; or an adapter: LoRA, rsLoRA (arXiv:2312.03732: high ranks still learn), DoRA
    (arXiv:2402.09353: lengths learn apart), IA3, prompt tuning or prefix tuning. The last three, which teach few
    numbers, want a learning rate ten to a hundred times as high."""
    merge: bool = False
    """Work the adapter into the weights in the end and leave a whole model, not the adapter."""
    frozen: tuple[str, ...] = ()
    """Parts of the model that stay as they are, by the names of their weights, as "encoder" or "shared"."""
    gradient_checkpointing: bool = False
    """Compute what is inside each layer again for the gradient instead of keeping it: less memory, the same result."""
    epochs: float = Field(3.0, gt=0)
    """How often every teaching row is seen."""
    rows: tuple[Rows, ...] = ()
    """How many rows does it take? The base is taught anew with each of these numbers of the teaching rows, and judged;
    0, which is the base itself, and all rows always belong to it. None: it is not asked."""
    batch_rows: int = Field(32, ge=1)
    """Rows in one optimizer step; memory never changes it."""
    token_budget: int = Field(4096, ge=1)
    """Padded tokens computed at once; a step of more is cut into micro-batches with the same result."""
    window_steps: int = Field(32, ge=1)
    """Rows are sorted by length within windows of this many steps, to save padding."""
    learning_rate: float = Field(3e-4, gt=0)
    """The highest learning rate, reached after the warm-up."""
    optimizer: Literal["adamw", "adafactor"] = "adamw"
    """AdamW; or Adafactor as T5 was trained with it, which keeps a row and a column of numbers for each matrix."""
    scale_parameter: bool = False
    """Give each tensor the rate times the root mean square of its weights, as Adafactor does; a T5's vary much."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    schedule: Literal["cosine", "linear", "constant", "inverse_sqrt"] = "cosine"
    """How the learning rate falls after the warm-up; inverse_sqrt is T5's own."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay, on matrices only."""
    l2_sp: float = Field(0.0, ge=0)
    """After each step the weights go back, as far as weight decay of this strength would take them, but towards where
    they began and not towards 0 (Li et al. 2018, arXiv:1802.01483; decoupled)."""
    betas: tuple[DecayRate, DecayRate] = (0.9, 0.999)
    """AdamW's decay rates of the two moments."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of each target that is spread over the vocabulary (Szegedy et al. 2015, arXiv:1512.00567)."""
    clip: float = Field(1.0, gt=0)
    """The gradient's norm is cut down to this."""
    validations: int = Field(6, ge=1)
    """How many times the model is judged on the validation side, evenly over the run, the last step included."""
    keep_best_by: Literal["primary", "loss"] = "primary"
    """Keep the checkpoint with the best primary score, or the lowest loss, on the validation side."""
    patience: int | None = Field(None, ge=1)
    """Stop after so many validations without a better one; never, when not given."""
    lora: LoraSettings = LoraSettings()
    """The adapter, when method = "lora", "rslora" or "dora"."""
    ia3: Ia3Settings = Ia3Settings()
    """The adapter, when method = "ia3"."""
    virtual: VirtualSettings = VirtualSettings()
    """The virtual tokens, when method = "prompt" or "prefix"."""

    @property
    def virtual_tokens(self) -> int:
        """How many virtual tokens stand in front of every prompt."""
        return self.virtual.tokens if self.method in VIRTUAL else 0

    @field_validator("rows")
    @classmethod
    def _in_order(cls, rows: tuple[int, ...]) -> tuple[int, ...]:
        """Sort the numbers, each once."""
        return tuple(sorted(set(rows)))

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        """Tell all settings that contradict each other, with the way out."""
        if problems := [*self._contradictions()]:
            raise ValueError("; ".join(problems))
        return self

    def _contradictions(self) -> Iterator[str]:
        if self.lora != LoraSettings() and self.method not in LOW_RANK:
            yield f'the table lora only with method = "lora", "rslora" or "dora" (here "{self.method}"): remove it'
        if self.ia3 != Ia3Settings() and self.method != "ia3":
            yield f'the table ia3 only with method = "ia3" (here "{self.method}"): remove it'
        if self.virtual != VirtualSettings() and self.method not in VIRTUAL:
            yield f'the table virtual only with method = "prompt" or "prefix" (here "{self.method}"): remove it'
        if self.virtual.hidden is not None and self.method == "prompt":
            yield 'virtual.hidden only with method = "prefix": remove it'
        if not set(self.ia3.feedforward) <= set(self.ia3.targets):
            yield "every one of ia3.feedforward among ia3.targets as well: add it there, or remove it"
        if self.merge and self.method not in (*LOW_RANK, "ia3"):
            why = "all weights learn" if self.method == "full" else "virtual tokens are no weights of the base"
            yield f'merge only with method = "lora", "rslora", "dora" or "ia3" ({why}): remove it'
        if self.method != "full" and self.frozen:
            yield 'frozen only with method = "full" (an adapter leaves all of the base as it is): remove it'
        if self.method != "full" and self.l2_sp:
            yield 'l2_sp only with method = "full" (an adapter begins at no change; weaken it instead): remove it'
        if self.gradient_checkpointing and self.method == "prefix":
            yield 'gradient_checkpointing not with method = "prefix" (each layer would forget it): remove it'
        if self.optimizer == "adafactor" and self.betas != (0.9, 0.999):
            yield 'betas only with optimizer = "adamw" (Adafactor has a decay of its own): remove them'
        if self.optimizer == "adafactor" and self.scale_parameter:
            yield 'scale_parameter only with optimizer = "adamw" (Adafactor always does so): remove it'
        if self.optimizer == "adafactor" and self.l2_sp:
            yield 'l2_sp only with optimizer = "adamw" (Adafactor scales its rate where this cannot see it): remove it'
