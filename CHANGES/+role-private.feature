Added ``conda_channel_private`` to the Ansible role ``conda_channel``, which makes the stages of a channel private.
