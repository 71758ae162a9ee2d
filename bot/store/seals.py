"""The marks of erased people, looked up and changed by the identifier they were made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.errors import Refused
from bot.core.sealing import Sealer
from bot.services.entities import Seal
from bot.store import tables as t
from bot.store.repositories import changed_rows


class SealRepository:
    """See `bot.services.ports.Seals`."""

    def __init__(self, session: AsyncSession, sealer: Sealer) -> None:
        self._session = session
        self._sealer = sealer

    def mark(self, kind: str, value: str) -> str:
        """The mark of an identifier. Raises Refused when there is no key to make marks with."""
        if not self._sealer:
            raise Refused(
                "AFTERWORD_SUPPRESSION_KEY is empty, and without it nobody could know an erased number again that had "
                "opted out; set it to something like the output of `openssl rand -hex 32`, and keep it"
            )
        return self._sealer.mark(kind, value)

    async def find(self, kind: str, value: str) -> Seal | None:
        """What still holds of whoever had this identifier; None when nobody with it was erased."""
        if not self._sealer:
            return None
        query = select(Seal).where(t.seals.c.mark == self._sealer.mark(kind, value))
        return (await self._session.scalars(query)).first()

    async def keep(
        self, kind: str, value: str, *, erased_at: datetime | None = None, opted_out_at: datetime | None = None
    ) -> Seal:
        """Remember this identifier as a mark. Raises Refused when there is no key to make marks with."""
        mark, key_id = self.mark(kind, value), self._sealer.key_id
        return await self.adopt(Seal(mark=mark, key_id=key_id, erased_at=erased_at, opted_out_at=opted_out_at))

    async def adopt(self, seal: Seal) -> Seal:
        """Remember a mark that was made before. Of two erasures the later counts, and an opt-out stands."""
        known = (await self._session.scalars(select(Seal).where(t.seals.c.mark == seal.mark))).first()
        if known is None:
            self._session.add(known := replace(seal))
        else:
            known.erased_at = max(filter(None, (known.erased_at, seal.erased_at)), default=None)
            known.opted_out_at = seal.opted_out_at or known.opted_out_at
        await self._session.flush()
        return known

    async def lift(self, kind: str, value: str) -> None:
        """They asked for it themselves: their opt-out no longer holds."""
        if self._sealer:
            here = t.seals.c.mark == self._sealer.mark(kind, value)
            await self._session.execute(update(t.seals).where(here).values(opted_out_at=None))

    async def all(self) -> list[Seal]:
        """Every mark."""
        return list((await self._session.scalars(select(Seal))).all())

    async def foreign(self) -> int:
        """How many marks were made with another key, and so recognise nobody."""
        query = select(func.count()).select_from(t.seals).where(t.seals.c.key_id != self._sealer.key_id)
        return int((await self._session.execute(query)).scalar_one())

    async def drop_foreign(self) -> int:
        """Forget the marks that were made with another key; how many they were."""
        return await changed_rows(self._session, delete(t.seals).where(t.seals.c.key_id != self._sealer.key_id))
