"""A small made-up corpus for the demo: real codecs, and tags that picture, sound or title each decide alone."""

from tagtower.usecases.demo_corpus.corpus import DemoCorpus, make_corpus

__all__ = ["DemoCorpus", "make_corpus"]
