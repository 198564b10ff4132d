# SPDX-License-Identifier: MIT
noinst_HEADERS += tests/unit/unit.h

EXTRA_DIST += \
	tests/check tests/demo tests/packages-build tests/packages-check tests/lab \
	tests/lib/build.sh tests/lib/setup.sh tests/lib/steps.sh tests/lib/story.py
