"""Manifests that are right, for tests to bend."""

SERVICE = """\
apiVersion: serinus/v1
kind: Service
metadata: {name: chat}
spec:
  protocol: openai
  hosts: ["*"]
  prefix: /v1/
  sticky: {header: X-User-Id}
  versions:
    - {name: v1, endpoints: ["127.0.0.1:8001"], health: {path: /health}}
    - {name: v2, endpoints: ["127.0.0.1:8002"], health: {path: /health}}
  baseline: v1
  cohorts:
    - {name: staff, match: {header: {name: X-Team, exact: ml}}, pin: candidate}
  observe: {body: true}
"""

ROLLOUT = """\
apiVersion: serinus/v1
kind: Rollout
metadata: {name: chat-v2}
spec:
  service: chat
  candidate: v2
  strategy: canary
  steps: [10%, 50%, 100%]
  pace: {min_step: 5s, follow_up: 3s}
  harm_budget: 5%
  guardrails:
    - {metric: errors}
    - {metric: finish_reason, of: length, margin: 20pp}
"""

BOTH = SERVICE + "---\n" + ROLLOUT
