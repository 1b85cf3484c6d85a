"""What the jobs that derive datasets share: their options made good, and their plan."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import apache_beam as beam

from instruct_imagen_data import command_line, licences, schema, shards, storage
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.annotators.precision import check_device, resolve_precision
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.stages.captions import ROLE
from instruct_imagen_data.stages.derived import Setup, Terms, WriteDerived, licences_of
from instruct_imagen_data.stages.finish import FinishDatasets
from instruct_imagen_data.stages.instruct import STAGE as INSTRUCT
from pipelines import job

Roles = Mapping[str, tuple[str, ...]]  # dataset -> roles of the networks it is made with


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What every job that derives datasets is told.

    Attributes:
        output: Directory that holds a folder a dataset.
        models: Model set; the corpus' own by default, paper where there is none.
        size: Shorter side of targets and references, in pixels; nothing is cropped or enlarged.
        min_check: Least value of a row's worst check, 0 to 1.
        licences: all, or commercial: reject rows not known to allow commercial use.
        precision: auto, fp32, bf16 or fp16; auto takes what pays on this device.
        device: cpu or cuda.
        max_reject_rate: Share of rejects above which the job fails, after all is written.
        overwrite: Replace outputs of other options.
        plan: Print what would be done, and stop.
    """

    output: str
    models: str = ""
    size: int = 256
    min_check: float = 0.0
    licences: str = "all"
    precision: str = "auto"
    device: str = "cpu"
    max_reject_rate: float = 1.0
    overwrite: bool = False
    plan: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderOptions(Options):
    """What a job that reads a source folder is told, too.

    Attributes:
        min_side: Reject pictures of the folder with a side shorter than so many pixels.
        validation_share: Share of the folder's groups that are held out.
    """

    min_side: int = 64
    validation_share: float = 0.01


@dataclasses.dataclass(frozen=True)
class Derivation:
    """Datasets to derive, and with which networks.

    Attributes:
      verb: Of the job.
      options: Its options.
      roles: Dataset to the roles it needs, for the datasets that are wanted.
      models: The model set.
      setup: The networks of all of them.
      terms: What every row must fulfil.
    """

    verb: str
    options: Options
    roles: Roles
    models: model_set.ModelSet
    setup: Setup
    terms: Terms

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(self.roles)

    def plan(
        self,
        build: Callable[[beam.Pipeline], Any],
        inputs: Mapping[str, int],
        settings: Mapping[str, Any],
        phases: Sequence[job.Phase] = (),
        emptied: Sequence[str] = (),
    ) -> job.Plan:
        """The plan: DerivedBlocks that `build` puts on a pipeline are written and finished.

        Args:
          inputs: Name to rows of each part that the datasets will have.
          settings: What the rows depend on beside the options and the networks.
          phases: What goes before.
          emptied: Directories that are deleted at the end.
        """
        output = self.options.output

        def whole(root: beam.Pipeline) -> None:
            written = build(root) | WriteDerived(output)
            written | FinishDatasets(output, self.verb, self.datasets, tuple(emptied))

        folders = [storage.join(output, name) for name in self.datasets]
        last = job.Phase(self.verb, folders, whole, parts=len(inputs), rows=sum(inputs.values()))
        common = job.settings_of(
            self.options,
            models=self.setup.models,
            precision=self.setup.precision,
            records=schema.versions(schema.Derived, schema.RejectRow),
            **settings,
        )
        return job.Plan(
            settings=common,
            inputs=inputs,
            paths={},
            phases=[*phases, last],
            outputs={
                folder: {"dataset": name, "weights": self.models.hashes(self.roles[name])}
                for folder, name in zip(folders, self.datasets, strict=True)
            },
        )


def chosen(only: str, roles: Roles) -> Roles:
    """The datasets that `--only` names, all if it names none.

    Raises:
      UsageError: a name that is none of them.
    """
    return {name: roles[name] for name in command_line.chosen("only", only, roles)}


def hindrance(models: model_set.ModelSet, roles: Sequence[str], allowed: str) -> str:
    """Why a model set cannot serve roles under --licences `allowed`; '' if it can."""
    for role in roles:
        if role not in models.roles:
            return f"model set {models.name} has no {role} network"
    for role, licence in licences_of(models, roles).items():
        if allowed == "commercial" and not licences.allows_commercial_use(licence):
            return f"the {role} network of model set {models.name} is under {licence!r}"
    return ""


def resolve(
    verb: str,
    options: Options,
    roles: Roles,
    default_models: str = "paper",
    *,
    captions: bool = False,
) -> Derivation:
    """Options as what the datasets are made with.

    Args:
      roles: Dataset to the roles it needs, for the datasets that are wanted.
      default_models: Model set where the options name none.
      captions: Whether pictures may lack a caption, which the set's captioner then gives.

    Raises:
      UsageError: a value that makes no sense, a network that the set lacks, or one whose licence
        does not allow what is asked.
    """
    if options.licences not in licences.CHOICES:
        known = " and ".join(licences.CHOICES)
        raise UsageError(f"--licences {options.licences}: known are {known}")
    for name in ("min_check", "max_reject_rate", "validation_share"):
        if not 0 <= getattr(options, name, 0) <= 1:
            raise UsageError(f"{command_line.flag(name)} {getattr(options, name)}: from 0 to 1")
    for name in ("size", "min_side"):
        if getattr(options, name, 1) < 1:
            raise UsageError(f"{command_line.flag(name)} {getattr(options, name)}: at least 1")
    if shards.read_job(options.output):
        raise UsageError(f"{options.output} holds a job of its own: choose another --output")
    for dataset in roles:
        former = shards.read_job(storage.join(options.output, dataset))
        if former is not None and former["job"] == INSTRUCT:  # not even by --overwrite
            raise UsageError(
                f"{options.output}/{dataset} holds instructions, made of derived examples: "
                "choose another --output"
            )
    check_device(options.device)
    name = options.models or default_models
    models = model_set.load_set(name)
    needed = tuple(dict.fromkeys(role for each in roles.values() for role in each))
    for role in needed:
        models.role(role)  # its error says what to add to the set
    if captions and ROLE in models.roles:
        needed = (*needed, ROLE)
        roles = {name: (*each, ROLE) for name, each in roles.items()}
    reason = hindrance(models, needed, options.licences)
    if reason:
        raise UsageError(f"{reason}; name another model set, or leave it out by --only")
    # The name of a shipped set, or a path that workers elsewhere in the tree find too.
    place = name if models.path.stem == name else str(models.path)
    setup = Setup(
        place, resolve_precision(options.precision, options.device), options.device, needed
    )
    return Derivation(
        verb, options, roles, models, setup, Terms(options.licences, options.min_check)
    )
