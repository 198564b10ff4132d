# SPDX-License-Identifier: MIT
"""The gateway: nginx with conf/nginx."""

from .fill import filled

# What stands around our file in an nginx that does nothing else.
NGINX_CONF = """
load_module modules/ngx_stream_module.so;
user www-data;
worker_processes 2;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { }
include /etc/nginx/postern.conf;
"""

GATEWAYS = ("nginx",)
PORTS = (25, 143, 465, 587, 993)


def start_gateway(vps):
    vps.write("/etc/nginx/postern.conf", filled("conf/nginx/postern.conf"))
    vps.write("/etc/nginx/nginx.conf", NGINX_CONF)
    vps.run("mkdir", "-p", "/var/log/nginx")
    vps.service("nginx", "nginx", "-g", "daemon off;")
    vps.wait_listening("nginx", *[f"tcp:{port}" for port in PORTS])

