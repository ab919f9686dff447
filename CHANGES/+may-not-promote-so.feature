Who may promote, but neither override gates nor skip stages, is told so (CND0194).
