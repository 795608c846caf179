"""The swarm as a whole: inviting, joining and hosting it, who is in it, what is said in it."""
