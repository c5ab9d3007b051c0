"""Ending a command on the far side together with everything that it started."""

from __future__ import annotations

# Everything below the given process, and everything in the sessions of those: found in /proc by the shell alone,
# since neither pkill nor ps must be there. Two passes, since a child may have a lower number than its parent.
_FIND = """
sessions=' ' own=
read -r line </proc/{pid}/stat && line=${{line##*) }} && set -- $line && own=$4
find_tree() {{
  tree=' {pid} '
  for pass in 1 2; do
    for file in /proc/[0-9]*/stat; do
      {{ read -r line <"$file"; }} 2>/dev/null || continue
      pid=${{line%% *}}; set -- ${{line##*) }}
      case $tree in *" $pid "*) continue;; esac
      case $tree$sessions in *" $2 "*|*" s$4 "*)
        tree="$tree$pid "
        [ "$4" = "$own" ] || sessions="${{sessions}}s$4 "
      esac
    done
  done
}}
"""
# Once more at the end: what was started in between is an orphan by now, but still in one of the sessions.
_END = """
find_tree
kill -TERM $tree 2>/dev/null
left=20
while [ $left -gt 0 ] && kill -0 $tree 2>/dev/null; do sleep 0.1; left=$((left-1)); done
kill -KILL $tree 2>/dev/null
find_tree
kill -KILL $tree 2>/dev/null
:
"""


def kill_tree(pid: int) -> str:
    """Return the shell text that ends ``pid`` and what it started: asked first, killed two seconds later."""
    return _FIND.format(pid=pid) + _END
