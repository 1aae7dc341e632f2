"""
Regressions as they are kept: one ticket for each cause, however often it is found.

    ticket   what is kept of a regression, and its states
    kept     tickets into the store and out of it
    merge    the findings of a scan and the tickets that there are, to the tickets that there are then
"""
