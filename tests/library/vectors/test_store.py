"""Both stores of vectors keep, find and forget the same; the exact index is the oracle of their search."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from tagtower.errors import FingerprintError, InputError
from tagtower.index.exact import ExactIndex
from tagtower.library.database import Database
from tagtower.library.schema import videos
from tagtower.library.vectors import VectorStore, vector_store


def made(count: int, width: int = 8, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def undone(database: Database, *changes) -> None:
    with database.write() as connection:
        for change in changes:
            change(connection)
        raise ZeroDivisionError


def held(store: VectorStore, database: Database, model_id: int) -> dict[int, np.ndarray]:
    with database.read() as connection:
        return {
            int(one): vector.copy()
            for ids, block in store.blocks(connection, model_id)
            for one, vector in zip(ids, block, strict=True)
        }


def test_what_was_added_comes_back_in_the_order_asked_for(database, store, enter_model, videos_of) -> None:
    model, ids, vectors = enter_model("a"), videos_of(5), made(5)
    with database.write() as connection:
        store.add(connection, model.id, ids, vectors)
    with database.read() as connection:
        found, back = store.get(connection, model.id, [ids[3], 999_999, ids[0]])
    assert found.tolist() == [ids[3], ids[0]]
    assert back == pytest.approx(vectors[[3, 0]], abs=1e-6)


def test_a_vector_that_is_added_again_replaces_the_old_one(database, store, enter_model, videos_of) -> None:
    model, ids = enter_model("a"), videos_of(3)
    for seed in (0, 0, 1):
        with database.write() as connection:
            store.add(connection, model.id, ids[:2], made(2, seed=seed))
    found = held(store, database, model.id)
    assert sorted(found) == ids[:2]
    assert found[ids[1]] == pytest.approx(made(2, seed=1)[1], abs=1e-6)


def test_what_is_undone_was_never_there(database, store, enter_model, videos_of) -> None:
    model, ids = enter_model("a"), videos_of(4)
    with database.write() as connection:
        store.add(connection, model.id, ids[:1], made(1))
    with pytest.raises(ZeroDivisionError):
        undone(database, lambda connection: store.add(connection, model.id, ids[1:3], made(2, seed=1)))
    assert sorted(held(store, database, model.id)) == ids[:1]
    with database.write() as connection:
        store.add(connection, model.id, ids[3:], made(1, seed=2))
    found = held(store, database, model.id)
    assert sorted(found) == [ids[0], ids[3]]
    assert found[ids[3]] == pytest.approx(made(1, seed=2)[0], abs=1e-6)


def test_vectors_of_another_model_are_refused(database, store, enter_model, videos_of) -> None:
    model, ids = enter_model("a"), videos_of(1)
    with pytest.raises(FingerprintError, match="width 9"), database.write() as connection:
        store.add(connection, model.id, ids, made(1, width=9))
    with pytest.raises(FingerprintError, match="another model"), database.write() as connection:
        store.add(connection, model.id, ids, made(1), fingerprint="v-b")
    with pytest.raises(FingerprintError, match="width 9"), database.read() as connection:
        store.nearest(connection, model.id, made(1, width=9), 1)
    with pytest.raises(InputError, match="not finite"), database.write() as connection:
        store.add(connection, model.id, ids, np.full((1, 8), np.nan, np.float32))
    assert held(store, database, model.id) == {}


def test_models_do_not_see_each_others_vectors(database, store, enter_model, videos_of) -> None:
    first, second, ids = enter_model("a"), enter_model("b"), videos_of(3)
    with database.write() as connection:
        store.add(connection, first.id, ids, made(3))
        store.add(connection, second.id, ids[:1], made(1, seed=1))
    assert sorted(held(store, database, first.id)) == ids
    assert sorted(held(store, database, second.id)) == ids[:1]


def test_a_removed_video_is_gone_from_every_model(database, store, enter_model, videos_of) -> None:
    models, ids = [enter_model(name) for name in "ab"], videos_of(3)
    with database.write() as connection:
        for model in models:
            store.add(connection, model.id, ids, made(3))
    with database.write() as connection:
        assert store.remove(connection, [ids[1], 999_999]) == 2
        connection.execute(delete(videos).where(videos.c.id == ids[1]))
        assert store.remove(connection, ids[:1], but=models[0].id) == 1
    assert sorted(held(store, database, models[0].id)) == [ids[0], ids[2]]
    assert sorted(held(store, database, models[1].id)) == ids[2:]


def test_a_dropped_model_leaves_the_others(database, store, enter_model, videos_of) -> None:
    first, second, ids = enter_model("a"), enter_model("b"), videos_of(3)
    with database.write() as connection:
        for model in (first, second):
            store.add(connection, model.id, ids, made(3))
    store.prepare(first.id)
    with database.write() as connection:
        store.drop(connection, first.id)
    assert held(store, database, first.id) == {}
    assert sorted(held(store, database, second.id)) == ids


def test_models_that_make_the_same_vectors_keep_their_own(database, store, enter_model, videos_of) -> None:
    first, second = (enter_model(name, vectors="same") for name in "ab")
    ids = videos_of(5)
    with database.write() as connection:
        store.add(connection, first.id, ids, made(5))
        store.add(connection, second.id, ids[:3], made(3))
    assert sorted(held(store, database, first.id)) == ids
    assert sorted(held(store, database, second.id)) == ids[:3]
    with database.write() as connection:
        store.drop(connection, first.id)
    found = held(store, database, second.id)
    assert sorted(found) == ids[:3]
    assert found[ids[2]] == pytest.approx(made(5)[2], abs=1e-6)
    assert held(store, database, first.id) == {}


@pytest.mark.parametrize("kind", ["cosine", "euclidean", "hamming"])
def test_search_finds_what_the_exact_index_finds(database, store, enter_model, videos_of, kind) -> None:
    model, ids, vectors = enter_model("a", distance=kind), videos_of(60), made(60)
    with database.write() as connection:
        store.add(connection, model.id, ids, vectors)
    store.prepare(model.id)
    queries, within = made(3, seed=7), ids[5:60:4]
    expected = ExactIndex(vectors, kind).search(queries, 7)
    near = ExactIndex(vectors[5:60:4], kind).search(queries, 7)
    with database.read() as connection:
        found = store.nearest(connection, model.id, queries, 7)
        filtered = store.nearest(connection, model.id, queries, 7, within=[*within, 999_999])
        none = store.nearest(connection, model.id, queries, 7, within=[])
        many = store.nearest(connection, model.id, queries, 500, within=ids)
    for row in range(3):
        assert found[row].ids.tolist() == [ids[one] for one in expected.indices[row]]
        assert found[row].distances == pytest.approx(expected.distances[row], abs=1e-6)
        assert filtered[row].ids.tolist() == [within[one] for one in near.indices[row]]
        assert not len(none[row].ids)
        assert len(many[row].ids) == 60


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "undo", "tidy", "reopen"]),
        st.sets(st.integers(0, 11), min_size=1, max_size=5),
        st.integers(0, 99),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS)
def test_whatever_is_done_it_holds_what_a_dictionary_would(
    database, store, enter_model, videos_of, tmp_path, actions
) -> None:
    name = f"m{np.random.default_rng().integers(2**60)}"
    model, ids = enter_model(name), videos_of(12)
    expected: dict[int, np.ndarray] = {}
    for action, places, seed in actions:
        chosen = [ids[place] for place in sorted(places)]
        if action == "add":
            with database.write() as connection:
                store.add(connection, model.id, chosen, made(len(chosen), seed=seed))
            expected.update(zip(chosen, made(len(chosen), seed=seed), strict=True))
        elif action == "remove":
            with database.write() as connection:
                assert store.remove(connection, chosen) == len(expected.keys() & set(chosen))
            expected = {one: vector for one, vector in expected.items() if one not in chosen}
        elif action == "undo":
            vectors = made(len(chosen), seed=seed)
            with pytest.raises(ZeroDivisionError):
                undone(
                    database,
                    partial(store.add, model_id=model.id, video_ids=chosen, vectors=vectors),
                    partial(store.remove, video_ids=chosen[:1]),
                )
        elif action == "tidy":
            store.tidy()
        else:
            store = vector_store(database, tmp_path / "vectors")
        found = held(store, database, model.id)
        assert found.keys() == expected.keys()
        for one, vector in expected.items():
            assert found[one] == pytest.approx(vector, abs=1e-6)
