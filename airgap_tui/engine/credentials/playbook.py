"""A playbook that logs root in on all nodes, as DeepOps' `docker-login` role does.

It holds no secret and needs no collection and no library on the nodes: the password goes to
`docker login` on its standard input, and `no_log` keeps it out of what Ansible prints.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from airgap_tui.engine.credentials import private_file
from airgap_tui.engine.credentials.change import Change
from airgap_tui.engine.errors import EnvironmentFailure

_MARK = "# Written by airgap-tui: root's logins for container registries, on all nodes."
TEXT = f"""{_MARK}
# The logins are in docker_login_registries, best in an Ansible Vault:
#   ansible-playbook -i INVENTORY --ask-vault-pass -e @docker-login.yml THIS_FILE
- name: Log root in to container registries
  hosts: "{{{{ hostlist | default('all') }}}}"
  become: true
  gather_facts: false
  tasks:
    - name: Log in with the password on standard input
      ansible.builtin.command:
        argv:
          - docker
          - login
          - --username
          - "{{{{ item.username }}}}"
          - --password-stdin
          - "{{{{ item.registry | default('https://index.docker.io/v1/') }}}}"
        stdin: "{{{{ item.password }}}}"
        stdin_add_newline: false
      loop: "{{{{ docker_login_registries }}}}"
      loop_control:
        label: "{{{{ item.registry | default('docker.io') }}}}"
      changed_when: true
      no_log: true
"""


def change(path: Path) -> Change:
    """How the playbook comes into a file. Raises `EnvironmentFailure` where there is another."""
    was = private_file.read(path)
    if was is not None and not was.startswith(_MARK.encode()):
        raise EnvironmentFailure(
            f"{private_file.short(path)} is there already, and is not a playbook of airgap-tui",
            hint="Name another file.",
        )
    command = "ansible-playbook -i INVENTORY --ask-vault-pass -e @docker-login.yml"
    return Change(
        path,
        "no such file" if was is None else "the playbook, as it was written before",
        "a playbook without secrets: docker login for root on all nodes",
        TEXT.encode(),
        was,
        mode=0o644,
        then=f"{command} {shlex.quote(str(path))}",
    )
