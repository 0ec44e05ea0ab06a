"""The pages of health: what is asked of them, and what an alarm makes of them."""

import pytest
from tests.coord.etcd.running import run, running
from tests.coord.etcd.test_gateway import page

NOSPACE, CORRUPT = 1, 2
READY = "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\n"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/health", (200, {"health": "true", "reason": ""})),
        ("/health?serializable=true", (200, {"health": "true", "reason": ""})),
        ("/livez", (200, "ok\n")),
        ("/livez?verbose", (200, "[+]serializable_read ok\nok\n")),
        ("/livez/serializable_read", (200, "ok\n")),
        ("/livez/data_corruption", (404, "404 page not found\n")),
        ("/readyz", (200, "ok\n")),
        ("/readyz?verbose", (200, READY + "ok\n")),
        ("/readyz?verbose&exclude=data_corruption&exclude=non_learner",
         (200, "[+]serializable_read ok\n[+]linearizable_read ok\nok\n")),
        ("/readyz/linearizable_read?verbose", (200, "[+]linearizable_read ok\nok\n")),
    ],
)  # fmt: skip
def test_all_is_well(path, answer):
    async def body():
        async with running() as served:
            assert await page(served, path) == answer

    run(body)


def test_what_an_alarm_makes_of_them():
    async def body():
        async with running() as served:
            await served.client.Alarm(action=1, alarm=NOSPACE)
            assert await page(served, "/health") == (503, {"health": "false", "reason": "ALARM NOSPACE"})
            assert (await page(served, "/health?exclude=NOSPACE"))[0] == 200
            assert await page(served, "/readyz") == (200, "ok\n")
            await served.client.Alarm(action=1, alarm=CORRUPT)
            said = {"health": "false", "reason": "ALARM CORRUPT"}
            assert await page(served, "/health?exclude=NOSPACE") == (503, said)
            failed = "[-]data_corruption failed: alarm activated: CORRUPT\n"
            assert await page(served, "/readyz/data_corruption") == (503, failed + "\n")
            status, text = await page(served, "/readyz")
            assert (status, text) == (503, failed + READY.partition("\n")[2] + "\n")
            assert await page(served, "/readyz?exclude=data_corruption") == (200, "ok\n")
            assert await page(served, "/livez") == (200, "ok\n")

    run(body)
