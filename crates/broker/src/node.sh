# Runs one broker for its owner, and kills it when the owner is gone, however the owner ended.
# Arguments: the file for the log, then the command. Each line on standard input names a signal to
# send; it is answered by the same line. The end of standard input means that nobody is left.
log=$1
shift
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
broker=$!
(
    while read -r signal; do
        kill -s "$signal" "$broker"
        echo "$signal"
    done
    kill -s KILL "$broker"
) <&3 &
owner=$!
wait "$broker"
status=$?
# From here on the broker's number may be another process's.
kill -s KILL "$owner"
exit "$status"
