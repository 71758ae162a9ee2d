"""What Prometheus reads: counts and durations, never a phone number and never a word of a customer."""

from __future__ import annotations

import time
from datetime import datetime

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bot.core.errors import ChannelError
from bot.core.vocabulary import Medium
from bot.services.ports import Accepted, Channel, Listed, Outbound, SentMessage


class Metrics:
    """The meters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.inbound = Counter(
            "afterword_inbound", "Messages of customers taken in.", ["medium"], registry=self.registry
        )
        self.statuses = Counter(
            "afterword_delivery_statuses", "Delivery statuses reported to us.", ["status"], registry=self.registry
        )
        self.outbound = Counter(
            "afterword_outbound",
            "Messages handed to a channel, by how it ended: accepted, failed, or ambiguous.",
            ["medium", "outcome"],
            registry=self.registry,
        )
        self.service_events = Counter(
            "afterword_service_events", "Service events reported, new or repeated.", ["outcome"], registry=self.registry
        )
        self.tasks_due = Gauge("afterword_tasks_due", "Tasks that are due and not done.", registry=self.registry)
        self.paused = Gauge(
            "afterword_sender_paused_seconds",
            "How much longer a sender is held back, by the provider's error; none while it is not.",
            ["medium", "code", "hold"],
            registry=self.registry,
        )
        self.listeners = Gauge("afterword_live_listeners", "Open live streams.", registry=self.registry)
        self.requests = Histogram(
            "afterword_http_request_seconds",
            "Time to answer a request, live streams left out.",
            ["method", "route", "status"],
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
        )

    def counted(self, medium: Medium, channel: Channel) -> Channel:
        """The same channel, with what it sends counted."""
        return _Counted(self, medium, channel)


class _Counted:
    def __init__(self, metrics: Metrics, medium: Medium, channel: Channel) -> None:
        self._metrics, self._medium, self._channel = metrics, medium, channel

    async def send(self, outbound: Outbound) -> Accepted:
        """Hand over, and count how it ended."""
        outcome = "accepted"
        try:
            return await self._channel.send(outbound)
        except ChannelError as error:
            outcome = "ambiguous" if error.ambiguous else "failed"
            raise
        finally:
            self._metrics.outbound.labels(self._medium.value, outcome).inc()

    async def reconcile(self, to: str, since: datetime) -> list[SentMessage]:
        """Ask the channel."""
        return await self._channel.reconcile(to, since)

    async def listed_since(self, since: datetime) -> list[Listed]:
        """Ask the channel."""
        return await self._channel.listed_since(since)


def measured(metrics: Metrics) -> Middleware:
    """A middleware that times every answer by its route's pattern, so that no identifier becomes a label."""

    @web.middleware
    async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        response = await handler(request)
        if response.content_type != "text/event-stream":
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else "unknown"
            metrics.requests.labels(request.method, route, str(response.status)).observe(time.perf_counter() - began)
        return response

    return measure
