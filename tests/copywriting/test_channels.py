"""Limits of the channels, and what they leave for a name."""

import pytest

from copywriting.channels import CHANNELS


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("channel", CHANNELS.values(), ids=lambda channel: channel.name)
def test_words_fit_beside_the_longest_name_that_a_channel_has_room_for(channel, language):
    room = channel.room_for_a_name(language)
    assert room + 6 <= channel.max_chars[language]
    assert room >= 12


def test_a_tight_channel_has_that_room_in_every_part_and_another_in_its_body():
    assert CHANNELS["search_ad"].room_for_a_name("zh") < CHANNELS["search_ad"].limit_of("headline", "zh")
    assert CHANNELS["email"].room_for_a_name("zh") > CHANNELS["email"].limit_of("headline", "zh")


def test_a_caller_who_lowers_the_limit_makes_a_channel_tight():
    assert CHANNELS["email"].room_for_a_name("zh", 40) < 40
