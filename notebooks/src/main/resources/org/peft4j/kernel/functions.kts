import java.nio.file.Path
import kotlin.io.path.*
import org.peft4j.*
import org.peft4j.data.*
import org.peft4j.notebook.*

/** Shows a value here, in the middle of a cell, and is that value. */
fun <T> T.show(): T = also { Show.it(it) }

/** Values beside each other: sideBySide("before" to a, "after" to b). */
fun sideBySide(vararg named: Pair<String, Any?>) =
    Show.sideBySide(*named.flatMap { listOf(it.first, it.second) }.toTypedArray())

/** A chart of bars: bars("Accuracy", "before" to 0.04, "after" to 0.75). */
fun bars(title: String, vararg bars: Pair<String, Number>): BarChart =
    bars.fold(Charts.bars(title)) { chart, (name, value) -> chart.bar(name, value.toDouble()) }

// whole numbers where Java would widen them
fun org.peft4j.train.Training.epochs(n: Int) = epochs(n.toDouble())
fun <R> org.peft4j.reparam.Lora.Options<R>.alpha(n: Int) = alpha(n.toDouble())
fun <R> org.peft4j.reparam.Dora.Options<R>.alpha(n: Int) = alpha(n.toDouble())
