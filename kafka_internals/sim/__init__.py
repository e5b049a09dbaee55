"""The world: one clock, one heap, one seed, and everything that can go wrong between machines.

Nothing here knows of Kafka. A node is anything with a name that takes events; what it is given
travels through a `Network` of connections and lies on a `Disk`, both of which fail on request.
"""
