"""Sessions of several workflows with the marks of real ones, and sessions that go wrong in a known way. The same for the same seed."""

import math
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# Of the spread of sessions only medians and the standard deviations of logarithms are known here, as of log-normals.
TOOLS = ["search", "read", "write", "run", "fetch", "browse", "query", "plan"]
ANOMALIES = ["runaway", "retry_storm", "tool_loop", "ping_pong", "prompt_loop", "context_growth", "slow_drip"]


@dataclass(frozen=True)
class Workflow:
    name: str
    # If it were always as busy as on a working day after lunch.
    sessions_a_day: int
    steps: float
    spread: float
    # Input tokens of the first call, and what each further call adds to it.
    context: float
    growth: float
    output: float
    tool_share: float
    seconds: float
    tools: int = len(TOOLS)


WORKFLOWS = [
    Workflow("triage", 200, 6, 0.35, 1500, 200, 150, 0.3, 15),
    Workflow("support", 150, 10, 0.5, 1200, 400, 250, 0.2, 40),
    Workflow("research", 70, 25, 0.6, 3000, 700, 500, 0.7, 20),
    Workflow("coding", 60, 40, 0.7, 6000, 900, 700, 0.8, 25),
    # Nearly the same each time.
    Workflow("extract", 150, 2, 0.0, 4000, 0, 300, 0.0, 5),
    # Of very different sizes.
    Workflow("reports", 60, 12, 1.1, 2500, 600, 900, 0.4, 30),
]


@dataclass
class Step:
    at: datetime
    input_tokens: int
    output_tokens: int
    retry_count: int | None = None
    tool: str | None = None
    prompt_hash: str = ""

    @property
    def cost(self) -> float:
        return round(self.input_tokens * 3e-6 + self.output_tokens * 15e-6, 9)


@dataclass
class Session:
    name: str
    workflow: str
    anomaly: str | None
    steps: list[Step] = field(default_factory=list)

    @property
    def cost(self) -> float:
        return sum(step.cost for step in self.steps)

    def cost_until(self, instant: datetime) -> float:
        return sum(step.cost for step in self.steps if step.at <= instant)


class Traces:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0

    def log_normal(self, median: float, spread: float) -> float:
        return median * math.exp(self.random.gauss(0, spread))

    def busy(self, at: datetime) -> float:
        """How much goes on at an hour of the week, 1 at most: more by day, less at the weekend."""
        by_hour = 0.15 + 0.85 * math.exp(-((at.hour - 14) / 4.5) ** 2)
        return by_hour * (0.35 if at.weekday() >= 5 else 1)

    def starts(self, workflow: Workflow, since: datetime, until: datetime) -> Iterator[datetime]:
        for _ in range(round(workflow.sessions_a_day * (until - since) / timedelta(days=1))):
            at = since + self.random.random() * (until - since)
            if self.random.random() < self.busy(at):
                yield at

    def session(self, workflow: Workflow, at: datetime, anomaly: str | None = None) -> Session:
        self.count += 1
        session = Session(f"s-{self.count}", workflow.name, anomaly)
        chance = self.random
        # A session that is larger is so in all: more steps, each of them with more to read.
        size = self.log_normal(1, workflow.spread)
        steps = max(1, round(workflow.steps * size))
        context = self.log_normal(workflow.context, 0.2)
        tool = chance.choice(TOOLS[: workflow.tools])
        for _ in range(steps):
            at += timedelta(seconds=self.log_normal(workflow.seconds, 0.6))
            self.step(session, workflow, at, context)
            step = session.steps[-1]
            if chance.random() < workflow.tool_share:
                # Often the same tool again, with something else in it.
                tool = tool if chance.random() < 0.4 else chance.choice(TOOLS[: workflow.tools])
                step.tool = tool
            if chance.random() < 0.02:
                step.retry_count = 1
            if len(session.steps) > 1 and chance.random() < 0.03:
                step.prompt_hash = session.steps[-2].prompt_hash
            # What is read grows less once the context is summarised.
            context = min(context + self.log_normal(workflow.growth, 0.3) if workflow.growth else context, workflow.context * 12)
        if anomaly:
            getattr(self, anomaly)(session, workflow, context)
        return session

    def step(self, session: Session, workflow: Workflow, at: datetime, context: float) -> None:
        session.steps.append(Step(at, max(1, round(context * self.random.uniform(0.9, 1.1))), max(1, round(self.log_normal(workflow.output, 0.5))),
                                  prompt_hash=uuid.UUID(int=self.random.getrandbits(128)).hex))

    def further(self, session: Session, workflow: Workflow, count: int, context: float, seconds: float) -> list[Step]:
        begun = len(session.steps)
        at = session.steps[-1].at
        for _ in range(count):
            at += timedelta(seconds=self.log_normal(seconds, 0.4))
            self.step(session, workflow, at, context)
        return session.steps[begun:]

    # What goes wrong comes after what is in order.

    def runaway(self, session: Session, workflow: Workflow, context: float) -> None:
        """Never done: many times as many steps as usual, each with another prompt and tool."""
        for step in self.further(session, workflow, round(workflow.steps * self.random.uniform(6, 40)), context, workflow.seconds):
            step.tool = self.random.choice(TOOLS)

    def retry_storm(self, session: Session, workflow: Workflow, context: float) -> None:
        for number, step in enumerate(self.further(session, workflow, self.random.randint(15, 40), context, 5)):
            step.retry_count = number % 8 + 1

    def tool_loop(self, session: Session, workflow: Workflow, context: float) -> None:
        tool = self.random.choice(TOOLS)
        for step in self.further(session, workflow, self.random.randint(15, 60), context, workflow.seconds):
            step.tool = tool

    def ping_pong(self, session: Session, workflow: Workflow, context: float) -> None:
        pair = self.random.sample(TOOLS, 2)
        for number, step in enumerate(self.further(session, workflow, self.random.randint(16, 60), context, workflow.seconds)):
            step.tool = pair[number % 2]

    def prompt_loop(self, session: Session, workflow: Workflow, context: float) -> None:
        prompt_hash = session.steps[-1].prompt_hash
        for step in self.further(session, workflow, self.random.randint(8, 30), context, workflow.seconds):
            step.prompt_hash = prompt_hash

    def context_growth(self, session: Session, workflow: Workflow, context: float) -> None:
        """Everything is sent again and again, and nothing is ever left out."""
        usual = workflow.context + workflow.growth * workflow.steps
        count = 20
        for number, step in enumerate(self.further(session, workflow, count, context, workflow.seconds)):
            step.input_tokens = round(context + usual * self.random.uniform(14, 18) * (number + 1) / count)

    def slow_drip(self, session: Session, workflow: Workflow, context: float) -> None:
        """A little every few minutes, for many hours."""
        for step in self.further(session, workflow, round(max(60, workflow.steps * self.random.uniform(8, 14))), workflow.context, 240):
            step.tool = self.random.choice(TOOLS)

    def ordinary(self, since: datetime, until: datetime) -> list[Session]:
        return [self.session(workflow, at) for workflow in WORKFLOWS for at in self.starts(workflow, since, until)]

    def odd(self, since: datetime, until: datetime, count: int) -> list[Session]:
        """So many of each kind, in all workflows in turn."""
        return [self.session(WORKFLOWS[number % len(WORKFLOWS)], since + self.random.random() * (until - since), anomaly)
                for anomaly in ANOMALIES for number in range(count)]
