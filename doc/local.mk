# SPDX-License-Identifier: MIT
dist_man_MANS += doc/postern.conf.5
dist_man_MANS += doc/postern-milter.8
dist_man_MANS += doc/postern-control.7 doc/postern-policyd.8
dist_man_MANS += doc/postern-ingress.8
