"""The stages of one worker, from what a suite says about its operations and objects."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from pytest_sai3bench.errors import Problem
from pytest_sai3bench.plan.bounds import divide_bounds
from pytest_sai3bench.plan.paths import as_folder, below, relative_path
from pytest_sai3bench.plan.trees import SelectionPlan, TreePlan, TreeShares
from pytest_sai3bench.plan.work import (
    PLAIN_DATA,
    DataPlan,
    MultipartPlan,
    ObjectSet,
    OperationPlan,
    RangesPlan,
    RatePlan,
    SizePlan,
    StagePlan,
)
from pytest_sai3bench.suite.feeding_rules import feeds_readers
from pytest_sai3bench.suite.operations import Get, Put, Rmdir
from pytest_sai3bench.suite.places import dotted
from pytest_sai3bench.suite.sizes import Fixed, Lognormal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_sai3bench.plan.endpoints import EndpointSet
    from pytest_sai3bench.plan.work import Barrier
    from pytest_sai3bench.suite.large import Multipart
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.suite.operations import Operation
    from pytest_sai3bench.suite.places import Place
    from pytest_sai3bench.suite.preparation import EnsureObjects
    from pytest_sai3bench.suite.sizes import Uniform
    from pytest_sai3bench.suite.stages import PlacedStage


class Stages:
    """Builds the stages of one worker, which cares for ``share`` of ``shares`` of the objects.

    It is number ``process`` of the ``processes`` of an agent that keeps ``concurrency`` operations going, number
    ``agent`` of the ``agents``.

    ``uris`` are the endpoints of all workers: ``target`` and absolute paths may lie below any of them, as all show the
    same objects. What is wrong collects in ``problems``.
    """

    def __init__(
        self,
        loaded: LoadedSuite,
        chosen: EndpointSet,
        uris: tuple[str, ...],
        target: str,
        *,
        share: int,
        shares: int,
        concurrency: int,
        process: int,
        processes: int,
        agent: int = 0,
        agents: int = 1,
    ) -> None:
        self.problems: list[Problem] = []
        self._objects: tuple[ObjectSet, ...] = ()
        self._loaded = loaded
        self._uris = uris
        self._own_uris = tuple(endpoint.uri for endpoint in chosen.endpoints)
        self._in_folders = bool(chosen.endpoints[0].root)
        self._share, self._shares = share, shares
        self._bound = partial(divide_bounds, concurrency=concurrency, process=process, processes=processes)
        # A target beside endpoints that hold it is what relative paths begin with.
        self._base = self._below(as_folder(target)) or "" if "://" in target else as_folder(target)
        ops = {operation.op for operation in loaded.suite.workload if operation.weight}
        # Deletes must not take away what others read: prepare then makes two sets.
        self._two_pools = (
            bool(loaded.suite.prepare.ensure_objects) and "delete" in ops and bool(ops & {"get", "stat"})
        )

        structure, distributed = loaded.suite.prepare.directory_structure, loaded.suite.distributed
        self._tree = (
            TreePlan(
                structure.width,
                structure.depth,
                structure.files_per_dir,
                structure.distribution == "all",
                structure.dir_mask,
            )
            if structure
            else None
        )
        mode = distributed.tree_creation_mode if distributed else "concurrent"
        self._tree_shares = TreeShares(mode, agent, agents, process, processes)

    def build(
        self, sequence: Sequence[PlacedStage], duration_s: float | None = None
    ) -> tuple[StagePlan, ...]:
        """Return the stages of a suite in their order; without any, its parts are what is done.

        ``duration_s`` replaces the durations of the suite.
        """
        suite = self._loaded.suite
        self._objects = self._plan_objects()
        prepare, cleanup = self._plan_prepare(), self._plan_cleanup()
        if suite.prepare.cleanup_only and not sequence:
            return (replace(cleanup, adopts=True),)
        workload = self._plan_workload()
        if not sequence:
            stages = [prepare] if prepare.objects else []
            stages.append(replace(workload, duration_s=duration_s or suite.duration))
            return (*stages, cleanup) if suite.prepare.cleanup else tuple(stages)
        plans = {"validation": StagePlan("validation"), "custom": StagePlan("custom")}
        plans |= {"prepare": prepare, "execute": workload, "hybrid": workload, "cleanup": cleanup}
        return tuple(self._plan_stage(each, plans, duration_s) for each in sequence)

    def _plan_stage(
        self, placed: PlacedStage, plans: Mapping[str, StagePlan], duration_s: float | None
    ) -> StagePlan:
        stage, settings = placed.stage, placed.stage.settings
        plan = replace(
            plans[str(settings.type)],
            name=stage.name,
            barrier=cast("Barrier", placed.barrier),
            timeout_s=stage.timeout_secs or 0.0,
            optional=stage.optional,
            where=str(self._loaded.where(placed.place)),
        )
        if plan.kind == "custom":
            return replace(plan, command=(settings.command or "", *settings.args))
        if plan.kind != "workload":
            return plan
        wanted_s = settings.duration or settings.max_duration or self._loaded.suite.duration
        plan = replace(plan, duration_s=duration_s or wanted_s)
        if settings.type == "execute" or settings.expected_tasks is None:
            return plan
        # Operations of a warm-up would use up those that are to be measured.
        own = len(range(self._share, settings.expected_tasks, self._shares))
        return replace(plan, most_ops=own, warmup_s=0.0)

    def _plan_prepare(self) -> StagePlan:
        preparation = self._loaded.suite.prepare
        overwrite = preparation.force_overwrite
        return StagePlan(
            "prepare",
            objects=self._objects,
            look=not (overwrite or preparation.skip_verification),
            create=overwrite or not preparation.skip_verification,
            delay_s=preparation.post_prepare_delay,
            interleaved=preparation.prepare_strategy == "parallel",
            # An object store knows neither.
            fsync=self._in_folders and preparation.fsync,
            atomic=self._in_folders and preparation.atomic,
            multipart=self._plan_multipart(self._loaded.suite.multipart),
        )

    def _plan_workload(self) -> StagePlan:
        bounds = self._bound(self._plan_operations())
        return StagePlan(
            "workload",
            warmup_s=self._loaded.suite.warmup,
            operations=bounds.operations,
            rate=self._plan_rate(),
            lanes=bounds.lanes,
            together=bounds.together,
            feeds=feeds_readers(self._loaded.suite),
        )

    def _plan_cleanup(self) -> StagePlan:
        return StagePlan("cleanup", objects=self._objects, mode=self._loaded.suite.prepare.cleanup_mode)

    def _below(self, uri: str) -> str | None:
        own = below(uri, self._own_uris)
        return below(uri, self._uris) if own is None else own

    def _relative(self, path: str, place: Place) -> str:
        uris = self._uris if below(path, self._own_uris) is None else self._own_uris
        try:
            return relative_path(path, uris, self._base)
        except ValueError as error:
            self.problems.append(Problem(self._loaded.where(place), dotted(place), str(error)))
            return ""

    def _plan_operations(self) -> tuple[OperationPlan, ...]:
        operations = []
        for index, operation in enumerate(self._loaded.suite.workload):
            tree = self._select(operation)
            path = "" if tree else self._relative(operation.path, ("workload", index, "path"))
            pool: Literal["all", "prepared", "deletable"] = "all"
            if self._two_pools and operation.op == "delete":
                folder, slash, name = path.rpartition("/")
                pool, path = "deletable", folder + slash + re.sub("^prepared-", "deletable-", name)
            elif self._two_pools:
                pool = "prepared"
            # In an object store a list takes any prefix, in a file system only a folder.
            if (operation.op == "put" and not tree) or (operation.op == "list" and self._in_folders):
                path = as_folder(path)
            operations.append(
                OperationPlan(
                    operation.op,
                    path=path,
                    weight=operation.weight,
                    where=str(self._loaded.where(("workload", index))),
                    size=_size(operation.size) if isinstance(operation, Put) else None,
                    pool=pool,
                    data=_data(operation) if isinstance(operation, Put) else PLAIN_DATA,
                    fsync=self._in_folders and isinstance(operation, Put) and operation.fsync,
                    atomic=self._in_folders and isinstance(operation, Put) and operation.atomic,
                    verify=isinstance(operation, Get) and self._loaded.suite.verifies(operation),
                    ranges=None if self._in_folders else self._plan_ranges(operation),
                    multipart=self._plan_multipart(self._loaded.suite.multipart_of(operation)),
                    tree=tree,
                    recursive=isinstance(operation, Rmdir) and operation.recursive,
                    most=operation.concurrency or 0,
                )
            )
        return tuple(operations)

    def _select(self, operation: Operation) -> SelectionPlan | None:
        """Return what an operation takes of the trees, None when it goes by its path."""
        if self._tree is None or operation.op == "list":
            return None
        distributed = self._loaded.suite.distributed
        sets, shares = self._objects, self._tree_shares.taken
        if distributed is None:
            return SelectionPlan(sets, share=shares[0], shares=shares[1])
        return SelectionPlan(sets, distributed.path_selection, distributed.partition_overlap, *shares)

    def _plan_ranges(self, operation: Operation) -> RangesPlan | None:
        if not isinstance(operation, Get):
            return None
        if operation.range:
            return RangesPlan(operation.range.size, operation.range.parallel)
        engine = self._loaded.suite.ranges_of_gets
        if engine is None:
            return None
        return RangesPlan(
            engine.chunk_size,
            engine.max_concurrent_ranges,
            engine.min_split_size,
            engine.range_timeout_secs,
        )

    def _plan_multipart(self, multipart: Multipart | None) -> MultipartPlan | None:
        if multipart is None or self._in_folders:
            return None
        return MultipartPlan(multipart.part_size, multipart.parallel, multipart.threshold)

    def _plan_rate(self) -> RatePlan | None:
        rate = self._loaded.suite.io_rate
        if rate is None or rate.iops == "max":
            return None
        return RatePlan(rate.iops, rate.distribution, self._share, self._shares)

    def _plan_objects(self) -> tuple[ObjectSet, ...]:
        stems: tuple[Literal["prepared", "deletable"], ...] = ("prepared", "deletable")
        planned = []
        for index, objects in enumerate(self._loaded.suite.prepare.ensure_objects):
            place: Place = ("prepare", "ensure_objects", index)
            folder = as_folder(self._relative(objects.base_uri or "", (*place, "base_uri")))
            where = str(self._loaded.where(place))
            if self._tree:
                share, shares = self._tree_shares.made
                folder += self._tree_shares.prefix
                count, size, data = self._tree.form.files, _size(objects.size), _data(objects)
                planned.append(ObjectSet(folder, "file", count, size, where, share, shares, data, self._tree))
                continue
            planned += [
                ObjectSet(
                    folder,
                    stem,
                    objects.count,
                    _size(objects.size),
                    where,
                    self._share,
                    self._shares,
                    _data(objects),
                )
                for stem in stems[: 2 if self._two_pools else 1]
            ]
        return tuple(planned)


def _size(size: Fixed | Uniform | Lognormal) -> SizePlan:
    if isinstance(size, Fixed):
        return SizePlan("fixed", size.size, size.size)
    if isinstance(size, Lognormal):
        return SizePlan("lognormal", size.min, size.max, float(size.mean), float(size.std_dev))
    return SizePlan("uniform", size.min, size.max)


def _data(objects: EnsureObjects | Put) -> DataPlan:
    if objects.fill == "zero":
        return DataPlan(zero=True)
    # 0 means the same as 1 in sai3-bench, too.
    return DataPlan(dedup=objects.dedup_factor or 1, compress=objects.compress_factor or 1)
