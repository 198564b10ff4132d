# SPDX-License-Identifier: MIT
"""Three hosts on one machine: internet, vps and home, with real software."""
