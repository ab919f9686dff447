Added an error for full disks, ``CND0080``, which names the folder and the setting behind it.
