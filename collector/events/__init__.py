"""
What was done to services: told by people and pipelines, or seen.

    event      one event, into the store and out of it
    webhooks   deployments as GitHub and GitLab tell of them
"""
