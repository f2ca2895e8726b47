"""Before, train, after, compare: the only room that knows the whole order."""
