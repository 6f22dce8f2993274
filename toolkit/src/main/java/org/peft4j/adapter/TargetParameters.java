package org.peft4j.adapter;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;

/**
 * Sites that Hugging Face PEFT does not see as modules but as bare parameters of one, which it
 * calls {@code target_parameters}: stacks of experts, and the router that sends tokens to them.
 */
final class TargetParameters {
  private static final String WEIGHT = ".weight";

  private TargetParameters() {}

  static boolean isOne(Site site) {
    return site.kind() == Kind.EXPERTS || Site.ROUTER.equals(site.role());
  }

  /** What PEFT calls it. */
  static String name(Site site) {
    return site.kind() == Kind.EXPERTS ? site.path() : site.path() + WEIGHT;
  }

  /** Our targets for what PEFT matches to the ends of names; an entry that fits nothing stays. */
  static List<String> targets(List<String> parameters, List<Site> sites) {
    List<String> out = new ArrayList<>();
    for (String p : parameters) {
      List<String> hit = sites.stream().filter(s -> matches(p, s)).map(Site::path).toList();
      hit.forEach(path -> out.add("regex:" + Pattern.quote(path)));
      if (hit.isEmpty()) {
        out.add(p);
      }
    }
    return out;
  }

  /** Whether PEFT would take the site for that parameter. */
  static boolean matches(String parameter, Site site) {
    String name = name(site);
    return isOne(site) && (name.equals(parameter) || name.endsWith("." + parameter));
  }

  /** What keys of files begin with at these sites, where that is not their path. */
  static Map<Site, String> keys(Collection<Site> adapted) {
    Map<String, List<Site>> byModule = new LinkedHashMap<>();
    for (Site s : adapted) {
      if (s.kind() == Kind.EXPERTS) {
        String module = s.path().substring(0, s.path().lastIndexOf('.'));
        byModule.computeIfAbsent(module, k -> new ArrayList<>()).add(s);
      }
    }
    Map<Site, String> out = new LinkedHashMap<>();
    byModule.forEach(
        (module, sites) -> {
          for (int i = 0; i < sites.size(); i++) { // each is wrapped around those before it
            out.put(sites.get(i), module + ".base_layer".repeat(sites.size() - 1 - i));
          }
        });
    return out;
  }
}
