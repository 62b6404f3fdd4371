"""What the kubelet and a container runtime do, for the demo: pods of Deployments, as processes.

A pod is a network namespace with a port that `podlanectl pod add` makes; a container is a process
in it, started by its image's name. The pod has its own /etc/hosts and /etc/resolv.conf, as the
kubelet makes them: the first has only the pod, the second names the cluster's DNS.
"""

import glob
import os
import shutil
import textwrap

import yaml

from . import objects
from .net import CommandFailed, run, wait_until
from .node import program
from .resolv_conf import with_files, write_resolv_conf


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def find_program(*names):
    """The first of the names (patterns allowed) that is a program on this machine."""
    for name in names:
        for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
            found = sorted(glob.glob(os.path.join(folder, name)))
            if found:
                return found[-1]
    raise CommandFailed(f"none of {', '.join(names)} is installed; `make deps` installs it")


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(textwrap.dedent(text).lstrip())
    return path


class RunningPod:
    """A pod with its containers."""

    def __init__(self, node, name, template, app_dir, attached=None):
        """`attached`: what has its port already; None: the node makes one."""
        self.name = name
        self.node = node
        self.labels = template["metadata"]["labels"]
        self.spec = template["spec"]
        self.dir = f"/run/lab/{name}"
        os.makedirs(self.dir)
        # A copy, as in an image: the web server's user may have no access to the checkout.
        shutil.copytree(app_dir, f"{self.dir}/app")
        self.pod = attached or node.add_pod(name, node.next_addresses()[:1])
        self.address = self.pod.addresses[0]
        self.namespace = self.pod.namespace
        hosts = write(f"{self.dir}/hosts", f"127.0.0.1\tlocalhost\n{self.address}\t{name}\n")
        resolv_conf = write_resolv_conf(f"{self.dir}/resolv.conf", self.pod.port["dns"])
        self._files = {"/etc/hosts": hosts, "/etc/resolv.conf": resolv_conf}
        for container in self.spec["containers"]:
            _IMAGES[container["image"]](self, self._environment(container))

    def object(self):
        """The Pod as the API server would show it."""
        made = objects.pod(self.name, [self.address], self.node.name, labels=self.labels)
        made["spec"]["containers"] = self.spec["containers"]
        return made

    def _environment(self, container):
        environment = {"PATH": os.environ["PATH"], "HOME": self.dir, "POD_NAME": self.name}
        environment.update({each["name"]: each["value"] for each in container.get("env", [])
                            if "value" in each})
        return environment

    def command(self, words):
        """A command that sees the pod's own /etc/hosts and /etc/resolv.conf."""
        return with_files(self._files, words)

    def run(self, words, **options):
        return self.namespace.run(self.command(words), **options)

    def start(self, words, name, environment):
        return self.namespace.spawn(self.command(words), f"{self.dir}/{name}.log", env=environment)

    def logs(self):
        """(what, text) of each log of its containers."""
        for name in sorted(os.listdir(self.dir)):
            if name.endswith(".log"):
                with open(f"{self.dir}/{name}", encoding="utf-8", errors="replace") as file:
                    yield f"{self.name}: {name}", file.read()

    def wait_for_port(self, port, timeout=30):
        wait_until(lambda: f":{port} " in self.namespace.run(["ss", "-Hltn"]).stdout, timeout,
                   f"{self.name} listens on port {port}")


def nginx_conf(folder):
    return f"""
        daemon off;
        user www-data;
        worker_processes 1;
        pid {folder}/nginx.pid;
        error_log {folder}/nginx-error.log;
        events {{ worker_connections 256; }}
        http {{
            access_log {folder}/nginx-access.log;
            client_body_temp_path {folder}/nginx-body;
            fastcgi_temp_path {folder}/nginx-fastcgi;
            proxy_temp_path {folder}/nginx-proxy;
            uwsgi_temp_path {folder}/nginx-uwsgi;
            scgi_temp_path {folder}/nginx-scgi;
            server {{
                listen 80;
                location / {{
                    fastcgi_pass 127.0.0.1:9000;
                    fastcgi_param SCRIPT_FILENAME {folder}/app/index.php;
                    fastcgi_param REQUEST_METHOD $request_method;
                    fastcgi_param QUERY_STRING $query_string;
                    fastcgi_param CONTENT_TYPE $content_type;
                    fastcgi_param CONTENT_LENGTH $content_length;
                    fastcgi_param REMOTE_ADDR $remote_addr;
                }}
            }}
        }}
        """


def nginx_command(folder):
    return [find_program("nginx"), "-p", folder, "-c", f"{folder}/nginx.conf",
            "-e", f"{folder}/nginx-error.log"]


def php_fpm_conf(folder):
    return f"""
        [global]
        error_log = {folder}/php-error.log
        [www]
        user = www-data
        listen = 127.0.0.1:9000
        pm = static
        pm.max_children = 4
        clear_env = no
        """


def php_fpm_command(folder):
    return [find_program("php-fpm", "php-fpm[0-9]*"), "--nodaemonize", "--fpm-config",
            f"{folder}/php-fpm.conf"]


DATABASE_BYTES = ["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"]


def make_database(data):
    run([find_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--user=root",
         "--auth-root-authentication-method=normal", "--skip-test-db", *DATABASE_BYTES],
        timeout=120)


def database_users(user, password):
    return f"""
        CREATE USER '{user}'@'%' IDENTIFIED BY '{password}';
        GRANT ALL ON *.* TO '{user}'@'%';
        """


def mariadb_command(folder):
    return [find_program("mariadbd"), "--no-defaults", f"--datadir={folder}/data", "--user=root",
            f"--socket={folder}/mariadb.sock", f"--pid-file={folder}/mariadb.pid",
            "--port=3306", "--bind-address=0.0.0.0", "--skip-name-resolve",
            f"--init-file={folder}/init.sql", *DATABASE_BYTES]


def _nginx(pod, environment):
    write(f"{pod.dir}/nginx.conf", nginx_conf(pod.dir))
    pod.start(nginx_command(pod.dir), "nginx", environment)
    pod.wait_for_port(80)


def _php_fpm(pod, environment):
    write(f"{pod.dir}/php-fpm.conf", php_fpm_conf(pod.dir))
    pod.start(php_fpm_command(pod.dir), "php-fpm", environment)
    pod.wait_for_port(9000)


def _mariadb(pod, environment):
    make_database(f"{pod.dir}/data")
    user, password = environment["MARIADB_USER"], environment["MARIADB_PASSWORD"]
    write(f"{pod.dir}/init.sql", database_users(user, password))
    pod.start(mariadb_command(pod.dir), "mariadb", environment)
    pod.wait_for_port(3306, 60)


def _ingress(pod, environment):
    """nginx, configured by `podlanectl ingress config`, which stays and follows changes."""
    folder = f"{pod.dir}/ingress"
    config = [program("podlanectl"), "--socket", pod.node.socket, "ingress", "config", "--out",
              folder]
    pod.run(config)
    pod.start([find_program("nginx"), "-e", "stderr", "-c", f"{folder}/nginx.conf", "-g",
               "daemon off;"], "nginx", environment)
    pod.wait_for_port(80)
    pod.start([*config, "--watch", "--reload-pid", f"{folder}/nginx.pid"], "ingress", environment)


_IMAGES = {"nginx": _nginx, "php-fpm": _php_fpm, "mariadb": _mariadb, "podlane-ingress": _ingress}


def missing_programs():
    """The programs that the demo's containers need and this machine lacks."""
    wanted = [("nginx",), ("php-fpm", "php-fpm[0-9]*"), ("mariadbd",), ("mariadb",),
              ("mariadb-install-db",), ("curl",)]
    missing = []
    for names in wanted:
        try:
            find_program(*names)
        except CommandFailed:
            missing.append(names[0])
    return missing + [name for name in ("ip", "nsenter", "ethtool") if not shutil.which(name)]
