class PlaneCleaner:
    def __init__(self, amount): pass
    def clean(self, planes, weight, colours, share, cut): return planes
