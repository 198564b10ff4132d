# SPDX-License-Identifier: MIT
noinst_HEADERS += tests/unit/unit.h
