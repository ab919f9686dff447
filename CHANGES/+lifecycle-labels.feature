Lifecycles have labels: `pulp conda lifecycle label`, `--label-select`, and `pulp_labels` in REST and Ansible.
