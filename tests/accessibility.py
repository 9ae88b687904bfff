"""What axe-core finds on a page: https://github.com/dequelabs/axe-core"""

from axe_playwright_python.sync_playwright import Axe


def violations(page, worst=("serious", "critical")):
    """The violations of these grades on a page, one line each: rule, help, and the first elements."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{each['id']}: {each['help']}: " + "; ".join(node["html"][:160] + " " + node.get("failureSummary", "")[:200] for node in each["nodes"][:3])
            for each in found if each["impact"] in worst]
