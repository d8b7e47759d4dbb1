"""Hot topics: from the headlines of feeds to phrases, from phrases that burst to tags, which cool and expire."""
